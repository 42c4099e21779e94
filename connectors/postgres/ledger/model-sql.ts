import { createHash } from 'node:crypto';
import type { Column } from '../../../schema/column.ts';
import { MillraceError } from '../../../schema/errors.ts';
import type { SyncDefinition } from '../../../schema/sync-definition.ts';
import { quoteIdentifier, quoteLiteral } from '../sql.ts';
import { jsonArrayOf, jsonOf, jsonOfText, joined } from './json-sql.ts';
import { mappingOf } from './mapping.ts';

/** SQL about a sync's model: what identifies a row, what is compared, and what is sent. Aliases: `m` for the model, `l` for the ledger. */
export interface ModelSql {
  /** Types of the match and mapped columns, in the definition's order. */
  readonly columns: readonly Column[];
  /** The model's rows with `_key`, `_hash`, and the columns under names of their own; `_copies` where keys are counted. */
  rows(sql: string, counted: boolean, only?: string): string;
  /** Why a row has no place in a plan; NULL when it has one. */
  readonly reason: string;
  /** JSON array of all values. */
  readonly values: string;
  /** JSON array of the match values; NULL when they are the key's. */
  readonly match: string;
  /** A hash for each mapped field. */
  readonly fields: string;
  /** JSON array of a row that is gone: its match values, and NULL for each field; from its key, or from the match that is in the books. */
  gone(key: string, match: string): string;
  /** A row's key as text, and a row as a JSON object, of the query under the alias `model`. */
  readonly key: string;
  readonly row: string;
  /** The match values are the key. */
  readonly matchIsKey: boolean;
}

/** Builds the SQL of a model whose columns have these types. Throws `config` when a column is missing. */
export function modelSql(sync: SyncDefinition, types: readonly Column[]): ModelSql {
  const typeOf = new Map(types.map(({ name, type }) => [name, type]));
  const key = sync.model.key;
  const matched = sync.match.map(({ column }) => column);
  const mapped = sync.map.map(({ column }) => column);
  for (const name of [...key, ...matched, ...mapped]) if (!typeOf.has(name)) throw missing(sync, name, types);
  const names = [...new Set([...key, ...matched, ...mapped])];
  const alias = (name: string): string => `m.c${names.indexOf(name)}`;
  const columnsOf = (list: readonly string[]): readonly Column[] => list.map((name) => ({ name, type: typeOf.get(name) ?? 'text' }));
  const columns = columnsOf([...matched, ...mapped]);
  const json = (list: readonly string[]): string => joined(columnsOf(list).map(({ name, type }) => jsonOf(alias(name), type)));
  const matchIsKey = JSON.stringify(matched) === JSON.stringify(key);
  const { address, fields } = mappingOf(sync);
  // Under another mapping every row has another hash.
  const salt = createHash('sha256')
    .update(JSON.stringify([address, fields]))
    .digest('hex')
    .slice(0, 8);
  const quoted = (list: readonly string[]): string => list.map((name) => `"model".${quoteIdentifier(name)}`).join(', ');
  const keyOf = key.length === 1 ? `(${quoted(key)})::text` : keyList(key.map((name) => `"model".${quoteIdentifier(name)}`));
  const compared = quoted([...new Set([...matched, ...mapped])]);
  return {
    columns,
    rows: (sql, counted, only) =>
      `(SELECT (${keyOf}) COLLATE "C" AS _key, md5('${salt}' || ROW(${compared})::text)::uuid AS _hash, ${
        counted ? `count(*) OVER (PARTITION BY (${keyOf}) COLLATE "C")` : '1'
      } AS _copies, ${names.map((name, at) => `"model".${quoteIdentifier(name)} AS c${at}`).join(', ')}
      FROM (${sql}) AS "model"${only === undefined ? '' : ` WHERE (${keyOf}) COLLATE "C" = ${quoteLiteral(only)}`})`,
    reason: `CASE ${[
      ...key.map((name) => [name, 'key'] as const),
      ...matched.filter((name) => !key.includes(name)).map((name) => [name, 'match'] as const),
    ]
      .map(([name, role]) => `WHEN ${alias(name)} IS NULL THEN ${quoteLiteral(`its ${role} (${name}) is NULL`)}`)
      .join(' ')} END`,
    values: jsonArrayOf(columns.map(({ name, type }) => [alias(name), type])),
    match: matchIsKey ? 'NULL::text' : `'[' || ${json(matched)} || ']'`,
    // The field's name is in its hash: a field that takes another one's place has changed.
    fields: `ARRAY[${sync.map.map((pair) => `hashtextextended((${alias(pair.column)})::text, hashtextextended(${quoteLiteral(pair.field)}, 0))`).join(', ')}]::bigint[]`,
    gone: (given, match) => {
      const values = key.map((_, at) => (key.length === 1 ? given : `((${given})::json ->> ${at})`));
      // No match in the books: it was the key when the row was acknowledged.
      const own =
        matched.length === key.length
          ? joined(columnsOf(key).map(({ type }, at) => jsonOfText(values[at] ?? given, type)))
          : quoteLiteral(matched.map(() => 'null').join(','));
      return `'[' || coalesce(substr(${match}, 2, length(${match}) - 2), ${own}) || ${quoteLiteral(`${',null'.repeat(mapped.length)}]`)}`;
    },
    key: keyOf,
    row: `'{' || ${joined(types.map(({ name, type }) => `to_json(${quoteLiteral(name)}::text)::text || ':' || ${jsonOf(`"model".${quoteIdentifier(name)}`, type)}`))} || '}'`,
    matchIsKey,
  };
}

/** The text of a key of several columns: a JSON array of their texts; NULL when one of them is. */
function keyList(columns: readonly string[]): string {
  return `'[' || ${joined(columns.map((column) => `to_json((${column})::text)::text`))} || ']'`;
}

function missing(sync: SyncDefinition, name: string, types: readonly Column[]): MillraceError {
  const has = types.map((column) => column.name).join(', ');
  return new MillraceError('config', `sync ${sync.name}: model ${sync.model.name} has no column ${name}; it has ${has}`);
}
