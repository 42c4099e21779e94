import { quoteIdentifier, quoteLiteral } from '../sql.ts';

/** A member of a JSON object: its name, and SQL whose JSON is its value. */
export type Member = readonly [name: string, value: string];

/** Names of columns end here, in bytes. */
const longestName = 63;
/** Columns of one SELECT. */
const mostColumns = 1600;

/** Rows that become JSON objects: what to select, and what is the object of such a row. */
export interface Objects {
  readonly list: string;
  /** The object of a row `o` of that selection, as it stands in other JSON functions. */
  readonly row: string;
  /** The same as JSON. */
  readonly json: string;
}

/** Objects of these members in their order. */
export function objectsOf(members: readonly Member[]): Objects {
  const fits = members.every(([name]) => name !== '' && Buffer.byteLength(name) <= longestName);
  if (members.length > 0 && members.length <= mostColumns && fits) {
    return {
      list: members.map(([name, value]) => `${value} AS ${quoteIdentifier(name)}`).join(', '),
      // With the star it is the row even where one of its columns is called like the alias.
      row: 'o.*',
      json: 'row_to_json(o.*)',
    };
  }
  const pairs = members.map(([name, value]) => `${quoteLiteral(`${JSON.stringify(name)}:`)} || coalesce(to_json(${value})::text, 'null')`);
  return { list: `(${["'{'", joined(pairs, ` || ',' || `), "'}'"].join(' || ')})::json AS j`, row: 'o.j', json: 'o.j' };
}

const joined = (parts: readonly string[], between: string): string => (parts.length === 0 ? `''` : parts.join(between));

/** The JSON object of one row: `from` is the rest of a SELECT, or empty. NULL where it gives no row. */
export function objectOf(members: readonly Member[], from = ''): string {
  const { list, json } = objectsOf(members);
  return `(SELECT ${json} FROM (SELECT ${list} ${from}) AS o)`;
}

/** The JSON array of objects, one for each row, in the order of `from`. */
export function arrayOf(members: readonly Member[], from: string): string {
  const { list, row } = objectsOf(members);
  return `(SELECT coalesce(json_agg(${row}), '[]'::json) FROM (SELECT ${list} ${from}) AS o)`;
}
