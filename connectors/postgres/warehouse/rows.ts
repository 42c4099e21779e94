import { quoteLiteral, quoteTable } from '../sql.ts';
import type { Delivery } from './delivery.ts';
import { columnList, loadedAtColumn, loadIdColumn } from './names.ts';

/** Columns that an INSERT from a load's table writes, and their values. */
export interface InsertParts {
  readonly into: string;
  readonly values: string;
}

/** The start of every delivery by SQL: delivered columns, and our own. */
export function insertParts(delivery: Delivery): InsertParts {
  const names = delivery.contract.delivered.map((column) => column.name);
  return {
    into: `${quoteTable(delivery.load.target)} AS t (${columnList([...names, loadIdColumn, loadedAtColumn])})`,
    values: `${columnList(names, 's.')}, ${quoteLiteral(delivery.load.id)}::uuid, now()`,
  };
}

/** `t.a = s.a AND …` over the key. */
export function keysMatch(key: readonly string[], left: string, right: string): string {
  return key.map((name) => `${columnList([name], `${left}.`)} = ${columnList([name], `${right}.`)}`).join(' AND ');
}

/** True in SQL when any of the columns differs by its bytes: `1.0` isn't `1.00`, NULL equals NULL, and every type can be compared. */
export function differs(names: readonly string[], left: string, right: string): string {
  return `ROW(${columnList(names, `${left}.`)})::record *<> ROW(${columnList(names, `${right}.`)})::record`;
}

/** Assignments of an upsert: `a = excluded.a, …`. */
export function assignments(names: readonly string[]): string {
  return names.map((name) => `${columnList([name])} = ${columnList([name], 'excluded.')}`).join(', ');
}
