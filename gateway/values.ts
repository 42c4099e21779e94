import type { Comparison, DatasetColumn, JsonType, MeasureFunction } from '../schema/dataset.ts';
import { parseType } from '../schema/column.ts';

/** The longest value of a filter, in characters. */
export const longestValue = 4096;

/** What a value of a column must be: said to callers, and as a pattern of what is taken. */
interface ValueRule {
  /** Follows "must be". */
  readonly expected: string;
  readonly pattern?: RegExp;
  readonly fits: (value: string) => boolean;
}

const equality: readonly Comparison[] = ['eq', 'ne', 'in', 'not_in', 'null'];
const order: readonly Comparison[] = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'not_in', 'null'];
const text: readonly Comparison[] = [...order, 'contains', 'starts'];
const texts: ReadonlySet<string> = new Set(['text', 'varchar', 'char', 'bpchar', 'name', 'citext']);

const baseOf = (column: DatasetColumn): string => parseType(column.type)?.base ?? column.type;

/** The comparisons that a column can be filtered by; arrays, JSON and bytes only by being NULL or not. */
export function comparisonsOf(column: DatasetColumn): readonly Comparison[] {
  if (column.array || column.json === 'json' || column.json === 'bytes' || column.type === 'xml') return ['null'];
  if (column.json === 'string') return texts.has(baseOf(column)) ? text : equality;
  return column.json === 'boolean' || column.json === 'uuid' ? equality : order;
}

/** Whether rows can be ordered and grouped by it. */
export const isOrdered = (column: DatasetColumn): boolean => !column.array && column.json !== 'json' && column.type !== 'xml';

/** What is wrong with a value to compare a column with, as in "must be a whole number"; undefined when PostgreSQL can read it. */
export function wrongValue(column: DatasetColumn, value: string): string | undefined {
  if (value.length > longestValue) return `must have at most ${longestValue} characters`;
  if (value.includes('\0')) return 'must not have the character NUL';
  if (/\p{Surrogate}/u.test(value)) return 'must be Unicode without lone surrogates';
  const rule = ruleOf(column);
  return rule.fits(value) ? undefined : `must be ${rule.expected}`;
}

/** Whether a cursor may have it. Moments come back as PostgreSQL writes them, which reaches further than what filters take. */
export function isCursorValue(column: DatasetColumn, value: string): boolean {
  if (column.json === 'date' || column.json === 'time' || column.json === 'timestamp') return /^[-+0-9:. TBCZinfty]{1,48}$/.test(value);
  return wrongValue(column, value) === undefined;
}

const ranges: Readonly<Record<string, readonly [bigint, bigint]>> = {
  smallint: [-32_768n, 32_767n],
  integer: [-2_147_483_648n, 2_147_483_647n],
  bigint: [-9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n],
};

/** The least and the greatest whole number of a column's type. */
export const rangeOf = (column: DatasetColumn): readonly [bigint, bigint] =>
  ranges[baseOf(column)] ?? (column.json === 'bigint' ? [ranges.bigint![0], ranges.bigint![1]] : [ranges.integer![0], ranges.integer![1]]);

const whole = /^-?[0-9]{1,19}$/;
const decimal = /^-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?$/;
const uuid = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
const bytes = /^\\x([0-9a-fA-F]{2})*$/;
const day = '[0-9]{4}-[0-9]{2}-[0-9]{2}';
const moment = '[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,6})?)?';
const zone = '(Z|[+-][0-9]{2}(:[0-9]{2})?)';
const infinite = '-?infinity';
const date = new RegExp(`^(${day}|${infinite})$`);
const time = new RegExp(`^${moment}$`);
const timeWithZone = new RegExp(`^${moment}${zone}$`);
const timestamp = new RegExp(`^(${day}([T ]${moment})?|${infinite})$`);
const timestampWithZone = new RegExp(`^(${day}([T ]${moment}${zone}?)?|${infinite})$`);

const textRule: ValueRule = { expected: 'text', fits: () => true };

const rules: Readonly<Record<JsonType, (column: DatasetColumn) => ValueRule>> = {
  integer: wholeRule,
  bigint: wholeRule,
  number: (column) => numberRule(baseOf(column) === 'real'),
  decimal: () => ({
    expected: 'a decimal number, as in "12.50"',
    pattern: decimal,
    fits: (value) => decimal.test(value) || isSpecial(value),
  }),
  boolean: () => ({ expected: 'true or false', pattern: /^(true|false)$/, fits: (value) => value === 'true' || value === 'false' }),
  uuid: () => ({ expected: 'a UUID', pattern: uuid, fits: (value) => uuid.test(value) }),
  bytes: () => ({ expected: 'bytes in hexadecimal, as in "\\x0aff"', pattern: bytes, fits: (value) => bytes.test(value) }),
  date: () => ({ expected: 'a date, as in "2026-01-31"', pattern: date, fits: (value) => date.test(value) && isMoment(value) }),
  time: (column) => timeRule(baseOf(column) === 'timetz'),
  timestamp: (column) => timestampRule(baseOf(column) === 'timestamptz'),
  json: () => textRule,
  string: () => textRule,
};

const known = new WeakMap<DatasetColumn, ValueRule>();

/** The rule of a column's type. */
function ruleOf(column: DatasetColumn): ValueRule {
  const found = known.get(column);
  if (found !== undefined) return found;
  const rule = rules[column.json](column);
  known.set(column, rule);
  return rule;
}

const isSpecial = (value: string): boolean => value === 'NaN' || value === 'Infinity' || value === '-Infinity';

function wholeRule(column: DatasetColumn): ValueRule {
  const [least, greatest] = rangeOf(column);
  // Fewer digits than the greatest has are always in the range.
  const short = String(greatest).length - 1;
  const isIn = (value: string): boolean => value.length <= short || (BigInt(value) >= least && BigInt(value) <= greatest);
  return {
    expected: `a whole number from ${least} to ${greatest}`,
    pattern: whole,
    fits: (value) => whole.test(value) && isIn(value),
  };
}

function numberRule(single: boolean): ValueRule {
  const fits = (value: string): boolean => {
    if (isSpecial(value)) return true;
    if (!decimal.test(value)) return false;
    const number = single ? Math.fround(Number(value)) : Number(value);
    return Number.isFinite(number) && (number !== 0 || !/^[^eE]*[1-9]/.test(value));
  };
  return { expected: 'a number within the range of its type, as in "0.5"', pattern: decimal, fits };
}

function timeRule(zoned: boolean): ValueRule {
  const pattern = zoned ? timeWithZone : time;
  return {
    expected: zoned ? 'a time with its offset, as in "13:45:00+01:00"' : 'a time, as in "13:45:00"',
    pattern,
    fits: (value) => pattern.test(value) && isMoment(value),
  };
}

function timestampRule(zoned: boolean): ValueRule {
  const pattern = zoned ? timestampWithZone : timestamp;
  const example = zoned
    ? '"2026-01-31T13:45:00Z" ("+" of an offset is written %2B in an address)'
    : '"2026-01-31T13:45:00", without an offset';
  return { expected: `a time stamp, as in ${example}`, pattern, fits: (value) => pattern.test(value) && isMoment(value) };
}

/** Whether the numbers of a date, a time or both are on the calendar and the clock. */
const isMoment = (value: string): boolean => isOnCalendar(value) && isOnClock(value);

function isOnCalendar(value: string): boolean {
  const found = /^(\d{4})-(\d\d)-(\d\d)/.exec(value);
  return found === null || isDay(Number(found[1]), Number(found[2]), Number(found[3]));
}

function isOnClock(value: string): boolean {
  const clock = /(?:^|[T ])(\d\d):(\d\d)(?::(\d\d))?/.exec(value);
  if (clock === null) return true;
  const offset = /:[\d.:]*[+-](\d\d)(?::(\d\d))?$/.exec(value);
  const [hours, minutes, seconds, offsetHours, offsetMinutes] = [clock[1], clock[2], clock[3], offset?.[1], offset?.[2]].map((part) =>
    Number(part ?? 0),
  );
  const isIn = (part: number | undefined, end: number): boolean => part === undefined || part < end;
  return isIn(hours, 24) && isIn(minutes, 60) && isIn(seconds, 60) && isIn(offsetHours, 16) && isIn(offsetMinutes, 60);
}

function isDay(year: number, month: number, dayOfMonth: number): boolean {
  if (year < 1 || month < 1 || month > 12 || dayOfMonth < 1) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return dayOfMonth <= (month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31);
}

const numbers: ReadonlySet<JsonType> = new Set(['integer', 'bigint', 'decimal', 'number']);
const moments: ReadonlySet<JsonType> = new Set(['date', 'time', 'timestamp']);

/** The functions that groups of a column's values can be measured by. */
export function measuresOf(column: DatasetColumn): readonly MeasureFunction[] {
  if (column.array) return ['count'];
  if (numbers.has(column.json)) return ['count', 'sum', 'avg', 'min', 'max'];
  const isRanked = moments.has(column.json) || (column.json === 'string' && texts.has(baseOf(column)));
  return isRanked ? ['count', 'min', 'max'] : ['count'];
}
