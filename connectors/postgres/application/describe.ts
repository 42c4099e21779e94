import type { Field, ObjectDescription } from '../../application.ts';
import type { TargetColumn, TargetTable } from './table.ts';

const types: Readonly<Record<string, Field['type']>> = {
  text: 'string',
  varchar: 'string',
  bpchar: 'string',
  citext: 'string',
  uuid: 'string',
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
  numeric: 'number',
  float4: 'number',
  float8: 'number',
  bool: 'boolean',
  date: 'date',
  timestamp: 'datetime',
  timestamptz: 'datetime',
  json: 'json',
  jsonb: 'json',
};

/** The columns of a table as fields. */
export function describeTable(table: TargetTable): ObjectDescription {
  const uniques = new Set(table.uniques.filter((columns) => columns.length === 1).flat());
  return { fields: table.columns.map((column) => fieldOf(column, uniques.has(column.name))), closed: true };
}

function fieldOf(column: TargetColumn, unique: boolean): Field {
  return {
    name: column.name,
    type: column.kind === 'e' ? 'enum' : (types[column.base] ?? 'any'),
    required: column.notNull && !column.hasDefault && !column.generated,
    readOnly: column.generated,
    unique,
    ...(column.labels === null ? {} : { options: column.labels }),
    ...(column.maxLength === null ? {} : { maxLength: column.maxLength }),
  };
}
