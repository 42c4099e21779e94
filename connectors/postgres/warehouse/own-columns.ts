import type { Load } from '../../../schema/load.ts';
import { quoteIdentifier, quoteLiteral } from '../sql.ts';
import { readsBack } from './append.ts';
import { columnList, deletedAtColumn, loadedAtColumn, loadIdColumn } from './names.ts';

/** Definitions of the columns that Millrace adds, with the values that the rows of a first load get by default. */
export function ownColumns(load: Load): readonly string[] {
  const { mode, deletes } = load.definition;
  return [
    `${loadIdColumn} uuid NOT NULL DEFAULT ${quoteLiteral(load.id)}`,
    `${loadedAtColumn} timestamptz NOT NULL DEFAULT now()`,
    ...(mode === 'merge' && deletes === 'mark' ? [`${deletedAtColumn} timestamptz`] : []),
    ...(mode === 'history'
      ? ['_valid_from timestamptz NOT NULL DEFAULT now()', '_valid_to timestamptz', '_is_current boolean NOT NULL DEFAULT true']
      : []),
  ];
}

/** The definition of a target's key under the stream's mode; undefined when nothing has to be unique. */
export function keyDefinition(load: Load): string | undefined {
  const { mode, key } = load.definition;
  if (mode === 'append' || key.length === 0) return undefined;
  return `PRIMARY KEY (${columnList(keyColumns(load))})`;
}

/** Columns of a target's key under the stream's mode. */
export function keyColumns(load: Load): readonly string[] {
  const { mode, key } = load.definition;
  return mode === 'history' ? [...key, '_valid_from'] : key;
}

/** More indexes that a mode needs on its target: one current version for each key; the keys that an append looks up. */
export function extraIndexes(load: Load, table: string): readonly string[] {
  const key = columnList(load.definition.key);
  if (load.definition.mode === 'history') return [`CREATE UNIQUE INDEX ON ${table} (${key}) WHERE _is_current`];
  return readsBack({ load }) ? [`CREATE INDEX ON ${table} (${key})`] : [];
}

/** Drops the defaults of our own columns: what one load is called must not reach rows of later ones. */
export function dropDefaults(load: Load, table: string): string {
  const names = [loadIdColumn, loadedAtColumn, ...(load.definition.mode === 'history' ? ['_valid_from', '_is_current'] : [])];
  return `ALTER TABLE ${table} ${names.map((name) => `ALTER COLUMN ${quoteIdentifier(name)} DROP DEFAULT`).join(', ')}`;
}
