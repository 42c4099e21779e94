import { parseType, type ColumnType } from '../schema/column.ts';

/** A column on its way through the steps. `id` names it inside the statement; a new value gets a new id. */
export interface Field {
  readonly name: string;
  readonly type: ColumnType;
  readonly id: string;
  /** True: a value of DuckDB's own type; false: text in PostgreSQL's form. */
  readonly typed: boolean;
  /** Name of the column as it was read, where the value comes from one. */
  readonly origin?: string | undefined;
}

const textBases: ReadonlySet<string> = new Set(['text', 'varchar', 'char', 'character varying', 'character', 'bpchar']);

export function isText(type: ColumnType): boolean {
  const parsed = parseType(type);
  return parsed !== undefined && !parsed.array && textBases.has(parsed.base);
}

const numberBases: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint', 'numeric', 'real', 'double']);

export function isNumber(type: ColumnType): boolean {
  const parsed = parseType(type);
  return parsed !== undefined && !parsed.array && numberBases.has(parsed.base);
}

const spellings: Readonly<Record<string, string>> = {
  bool: 'boolean',
  int: 'integer',
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  decimal: 'numeric',
  float: 'double',
  'double precision': 'double',
  float4: 'real',
  float8: 'double',
  string: 'text',
  'character varying': 'varchar',
  character: 'char',
  datetime: 'timestamp',
  'timestamp without time zone': 'timestamp',
  'timestamp with time zone': 'timestamptz',
  'time without time zone': 'time',
  'time with time zone': 'timetz',
};

/** A type as users write it in the project file, in the canonical spelling; undefined when it isn't a type. */
export function canonicalType(written: string): ColumnType | undefined {
  const parsed = parseType(written);
  if (parsed === undefined) return undefined;
  const base = spellings[parsed.base] ?? parsed.base;
  const modifiers = parsed.modifiers.length > 0 ? `(${parsed.modifiers.join(',')})` : '';
  return `${base}${modifiers}${parsed.array ? '[]' : ''}`;
}

const duckTypes: Readonly<Record<string, string>> = {
  boolean: 'BOOLEAN',
  smallint: 'SMALLINT',
  integer: 'INTEGER',
  bigint: 'BIGINT',
  real: 'FLOAT',
  double: 'DOUBLE',
  date: 'DATE',
  time: 'TIME',
  timetz: 'TIMETZ',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMPTZ',
  interval: 'INTERVAL',
  uuid: 'UUID',
  json: 'JSON',
  jsonb: 'JSON',
};

/** The DuckDB type in which expressions see a column; unbounded and very wide numerics are doubles there, unknown types text. */
export function duckType(type: ColumnType): string {
  const parsed = parseType(type);
  if (parsed === undefined || parsed.array) return 'VARCHAR';
  if (parsed.base !== 'numeric') return duckTypes[parsed.base] ?? 'VARCHAR';
  const [precision = 39, scale = 0] = parsed.modifiers;
  return precision <= 38 && scale >= 0 && scale <= precision ? `DECIMAL(${precision},${scale})` : 'DOUBLE';
}

/** The field as a value that compares and computes by its type. */
export function typedValue(field: Field): string {
  const target = duckType(field.type);
  if (field.typed || target === 'VARCHAR') return field.id;
  const text = target === 'DATE' || target.startsWith('TIMESTAMP') ? `replace(${field.id}, ' BC', ' (BC)')` : field.id;
  return `TRY_CAST(${text} AS ${target})`;
}

/** The field as a value that is equal where rows count as equal: exact, so text where the DuckDB type couldn't hold every value. */
export function groupValue(field: Field): string {
  return duckType(field.type).startsWith('DECIMAL') ? typedValue(field) : field.id;
}

const columnTypes: Readonly<Record<string, ColumnType>> = {
  BOOLEAN: 'boolean',
  TINYINT: 'smallint',
  UTINYINT: 'smallint',
  SMALLINT: 'smallint',
  USMALLINT: 'integer',
  INTEGER: 'integer',
  UINTEGER: 'bigint',
  BIGINT: 'bigint',
  UBIGINT: 'numeric(20,0)',
  HUGEINT: 'numeric(39,0)',
  UHUGEINT: 'numeric(39,0)',
  BIGNUM: 'numeric',
  FLOAT: 'real',
  DOUBLE: 'double',
  DATE: 'date',
  TIME: 'time',
  TIME_NS: 'time',
  'TIME WITH TIME ZONE': 'timetz',
  TIMESTAMP: 'timestamp',
  TIMESTAMP_S: 'timestamp',
  TIMESTAMP_MS: 'timestamp',
  TIMESTAMP_NS: 'timestamp',
  'TIMESTAMP WITH TIME ZONE': 'timestamptz',
  INTERVAL: 'interval',
  UUID: 'uuid',
  JSON: 'jsonb',
  BLOB: 'bytea',
};

function isNested(duck: string): boolean {
  return /\]$|^(STRUCT|MAP|UNION)\(/.test(duck);
}

/** The logical type of what DuckDB computed. */
export function columnType(duck: string): ColumnType {
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(duck);
  if (decimal !== null) return `numeric(${decimal[1]},${decimal[2]})`;
  if (isNested(duck)) return 'jsonb';
  return columnTypes[duck] ?? 'text';
}

/** A computed value of a DuckDB type made one that `typedValue` and `textValue` know. */
export function settle(sql: string, duck: string): string {
  if (isNested(duck)) return `to_json(${sql})`;
  if (duck === 'BLOB') return `('\\x' || lower(hex(${sql})))`;
  if (/^TIME(STAMP)?_/.test(duck)) return `CAST(${sql} AS ${duck.startsWith('TIMESTAMP') ? 'TIMESTAMP' : 'TIME'})`;
  return columnTypes[duck] === undefined && !duck.startsWith('DECIMAL') ? `CAST(${sql} AS VARCHAR)` : sql;
}

/** The field in PostgreSQL's text form. */
export function textValue(field: Field): string {
  if (!field.typed) return field.id;
  const text = `CAST(${field.id} AS VARCHAR)`;
  if (!/^(date|timestamp)/.test(field.type)) return text;
  const any = `replace(${text}, '(BC)', 'BC')`;
  if (field.type !== 'timestamptz') return any;
  // A cast of TIMESTAMPTZ asks ICU for each value, and infinity has no epoch.
  const common = `${field.id} >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND ${field.id} < TIMESTAMPTZ 'infinity'`;
  return `CASE WHEN ${common} THEN CAST(make_timestamp(epoch_us(${field.id})) AS VARCHAR) || '+00' ELSE ${any} END`;
}
