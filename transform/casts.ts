import { parseType, type ColumnType, type ParsedType } from '../schema/column.ts';
import type { CastTarget } from '../schema/step.ts';
import { literal } from './sql-text.ts';
import { canonicalType, duckType } from './types.ts';

/** A cast from text: `value` is NULL where the text isn't exactly a value of the type. */
export interface Cast {
  readonly type: ColumnType;
  readonly value: string;
  readonly typed: boolean;
}

interface Options {
  readonly format: string | undefined;
  readonly decimal: '.' | ',' | undefined;
}

const integerPattern = String.raw`\s*[+-]?\d+(\.0*)?\s*`;
const numberPattern = String.raw`\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*`;
const specialPattern = String.raw`\s*(?i:nan|[+-]?inf(inity)?)\s*`;
const datePattern = String.raw`\d{4,6}-\d{1,2}-\d{1,2}`;
const clockPattern = String.raw`\d{1,2}:\d{2}(:\d{2}(\.\d{1,6}0*)?)?`;
const midnightPattern = String.raw`([ T]00:00(:00(\.0+)?)?)?`;
const zonePattern = String.raw`( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?`;
const infinityPattern = String.raw`[+-]?infinity`;

const matches = (text: string, pattern: string): string => `regexp_full_match(${text}, ${literal(pattern)})`;
const when = (condition: string, value: string): string => `CASE WHEN ${condition} THEN ${value} END`;

function strictly(text: string, pattern: string, type: string): string {
  return when(matches(text, pattern), `TRY_CAST(${text} AS ${type})`);
}

/** Text of a number with the decimal sign `.` and no thousands separators; NULL where they stand in wrong places. */
function plainNumber(text: string, decimal: '.' | ',' | undefined): string {
  if (decimal === undefined) return text;
  const [thousands, point] = decimal === ',' ? [String.raw`\.`, ','] : [',', String.raw`\.`];
  const pattern = String.raw`\s*[+-]?(\d+|\d{1,3}(${thousands}\d{3})+)(${point}\d*)?\s*`;
  const stripped = `replace(${text}, ${literal(decimal === ',' ? '.' : ',')}, '')`;
  return when(matches(text, pattern), decimal === ',' ? `replace(${stripped}, ',', '.')` : stripped);
}

/** Stays text, so that any number of digits is exact; a digit that doesn't fit the type is a failure, never rounded. */
function numeric(text: string, { modifiers }: ParsedType): string {
  const [precision, scale = 0] = modifiers;
  const trimmed = `CASE WHEN regexp_matches(${text}, '^\\s|\\s$') THEN trim(${text}, ${literal(' \t\n\r\f\v')}) ELSE ${text} END`;
  if (precision === undefined) return when(`${matches(text, numberPattern)} OR ${matches(text, specialPattern)}`, trimmed);
  const whole = precision - scale;
  const fraction = scale > 0 ? String.raw`(\.\d{0,${scale}}0*)?` : String.raw`(\.0*)?`;
  const plain = String.raw`\s*[+-]?0*\d{0,${whole}}${fraction}\s*`;
  const digits = `${matches(text, plain)} AND regexp_matches(${text}, '\\d')`;
  if (precision > 38) return when(digits, trimmed);
  const usual = whole > 0 && scale > 0 ? `WHEN ${matches(text, String.raw`-?\d{1,${whole}}(\.\d{1,${scale}})?`)} THEN ${text} ` : '';
  const shifted = String.raw`\s*[+-]?\d+(\.\d{0,${scale}}0*)?[eE]\+?\d{1,2}\s*`;
  return `CASE ${usual}WHEN ${digits} THEN ${trimmed} WHEN ${matches(text, shifted)} THEN CAST(TRY_CAST(${text} AS DECIMAL(${precision},${scale})) AS VARCHAR) END`;
}

/** `t` and `f` come first because they are PostgreSQL's own; DuckDB would make a join of a longer IN. */
function boolean(text: string): string {
  const isWord = (words: string): string => matches(`lower(${text})`, ` *(${words}) *`);
  return `CASE WHEN ${text} = 't' THEN true WHEN ${text} = 'f' THEN false WHEN ${isWord('t|true|y|yes|on|1')} THEN true WHEN ${isWord('f|false|n|no|off|0')} THEN false END`;
}

function date(text: string, { format }: Options): string {
  if (format === undefined) return strictly(text, `${datePattern}${midnightPattern}|${infinityPattern}`, 'DATE');
  const parsed = `try_strptime(${text}, ${literal(format)})`;
  return when(`${parsed} = date_trunc('day', ${parsed})`, `CAST(${parsed} AS DATE)`);
}

function timestamp(text: string, { format }: Options, zoned: boolean): string {
  const type = zoned ? 'TIMESTAMPTZ' : 'TIMESTAMP';
  if (format !== undefined) return `TRY_CAST(try_strptime(${text}, ${literal(format)}) AS ${type})`;
  return strictly(text, `${datePattern}([ T]${clockPattern}${zoned ? zonePattern : ''})?|${infinityPattern}`, type);
}

function json(text: string): string {
  return when(`json_valid(${text}) AND NOT regexp_matches(${text}, ${literal(String.raw`(^|[^\\])(\\\\)*\\u0000`)})`, text);
}

function limited(text: string, { modifiers }: ParsedType): string {
  const [length] = modifiers;
  return length === undefined ? text : when(`length(${text}) <= ${length}`, text);
}

type Build = (text: string, type: ParsedType, options: Options) => string;

const integer =
  (duck: string): Build =>
  (text, _type, options) =>
    strictly(plainNumber(text, options.decimal), integerPattern, duck);
const floating =
  (duck: string): Build =>
  (text, _type, options) =>
    strictly(plainNumber(text, options.decimal), `${numberPattern}|${specialPattern}`, duck);

const builders: Readonly<Record<string, Build>> = {
  boolean,
  smallint: integer('SMALLINT'),
  integer: integer('INTEGER'),
  bigint: integer('BIGINT'),
  numeric: (text, type, options) => numeric(plainNumber(text, options.decimal), type),
  real: floating('FLOAT'),
  double: floating('DOUBLE'),
  date: (text, _type, options) => date(text, options),
  time: (text) => strictly(text, clockPattern, 'TIME'),
  timetz: (text) => strictly(text, `${clockPattern}${zonePattern}`, 'TIMETZ'),
  timestamp: (text, _type, options) => timestamp(text, options, false),
  timestamptz: (text, _type, options) => timestamp(text, options, true),
  interval: (text) => `TRY_CAST(${text} AS INTERVAL)`,
  uuid: (text) => `TRY_CAST(${text} AS UUID)`,
  json,
  jsonb: json,
  bytea: (text) => when(matches(text, String.raw`\\x([0-9a-fA-F]{2})*`), text),
  text: (text) => text,
  varchar: limited,
  char: limited,
};

/** Bases that stay text after a cast. */
const textual: ReadonlySet<string> = new Set(['numeric', 'json', 'jsonb', 'bytea', 'text', 'varchar', 'char']);

/** The types a cast can have, for messages. */
export const castableTypes: readonly string[] = Object.keys(builders);

/** Compiles a cast of a text expression; undefined when the target isn't a type that values can be cast to. */
export function compileCast(text: string, target: CastTarget): Cast | undefined {
  const written = typeof target === 'string' ? { to: target } : target;
  const type = canonicalType(written.to);
  const parsed = type === undefined ? undefined : parseType(type);
  if (type === undefined || parsed === undefined || parsed.array) return undefined;
  const build = builders[parsed.base];
  if (build === undefined) return undefined;
  const options: Options = {
    format: 'format' in written ? written.format : undefined,
    decimal: 'decimal' in written ? written.decimal : undefined,
  };
  const typed = !textual.has(parsed.base) && duckType(type) !== 'VARCHAR';
  return { type, value: build(text, parsed, options), typed };
}
