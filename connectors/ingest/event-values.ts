import type { Column } from '../../schema/column.ts';
import { otherColumn, eventIdColumn, receivedAtColumn } from './event-columns.ts';
import { membersOf } from '../../schema/json-text.ts';

const [leastBigint, greatestBigint] = [-(2n ** 63n), 2n ** 63n - 1n];
/** Beyond these a number fits no column of the warehouse. */
const longestNumber = 1000;
const deepest = 64;

type Converted = string | { readonly problem: string };

function decoded(written: string, what: string): Converted {
  return written.startsWith('"') ? String(JSON.parse(written)) : { problem: `must be ${what}` };
}

function matched(written: string, pattern: RegExp, what: string): Converted {
  const text = decoded(written, what);
  return typeof text === 'string' && !pattern.test(text) ? { problem: `must be ${what}` } : text;
}

function integer(written: string): Converted {
  const digits = /^(-?\d{1,30})(?:\.0{1,30})?$/.exec(written)?.[1];
  if (digits === undefined) return { problem: 'must be an integer, written in digits' };
  const value = BigInt(digits);
  return value < leastBigint || value > greatestBigint ? { problem: 'must fit 64 bits' } : value.toString();
}

const date = '(?!0000)\\d{4}-\\d\\d-\\d\\d';
const moment = new RegExp(`^${date}[Tt ]\\d\\d:\\d\\d:\\d\\d(?:\\.\\d{1,30})?(?:[Zz]|[+-](?:0\\d|1[0-5]):?\\d\\d)$`);
const isNumber = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$/;

const converters: Readonly<Record<string, (written: string) => Converted>> = {
  text: (written) => decoded(written, 'a string'),
  bigint: integer,
  numeric: (written) => (isNumber.test(written) ? written : { problem: 'must be a number with an exponent of at most 3 digits' }),
  boolean: (written) => (written === 'true' || written === 'false' ? written : { problem: 'must be true or false' }),
  timestamptz: (written) => matched(written, moment, 'a moment with its offset, as in 2026-01-31T12:00:00Z'),
  date: (written) => matched(written, new RegExp(`^${date}$`), 'a date'),
  uuid: (written) => matched(written, /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, 'a UUID'),
  jsonb: (written) => written,
};

const converted = (type: string, written: string): string | null | { readonly problem: string } =>
  written === 'null' ? null : (converters[type]?.(written) ?? { problem: 'has no column' });

/** An event as it was accepted. */
export interface AcceptedEvent {
  readonly id: string;
  readonly receivedAt: string;
  /** The JSON object, as it came. */
  readonly text: string;
}

const ours: ReadonlySet<string> = new Set([eventIdColumn, receivedAtColumn, otherColumn]);

export interface EventProblem {
  /** JSON pointer. */
  readonly at: string;
  readonly message: string;
}

export const pointerOf = (name: string): string => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** What of an event its columns can't hold, which its schema may allow. */
export function valueProblems(members: ReadonlyMap<string, string>, columns: readonly Column[]): readonly EventProblem[] {
  return columns.flatMap(({ name, type }) => {
    const written = members.get(name);
    const value = written === undefined || ours.has(name) ? null : converted(type, written);
    return typeof value === 'object' && value !== null ? [{ at: pointerOf(name), message: value.problem }] : [];
  });
}

/** The id in an event, as text; undefined when it isn't there or is none. */
export function keyValue(members: ReadonlyMap<string, string>, column: Column): string | undefined {
  const written = members.get(column.name);
  const value = written === undefined ? undefined : converted(column.type, written);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The values of an event in the order of the columns. What a column can't hold, or none takes, is in the last, as JSON. */
export function eventValues(event: AcceptedEvent, columns: readonly Column[]): readonly (string | null)[] {
  const members = new Map(membersOf(event.text));
  const own = new Map([
    [eventIdColumn, event.id],
    [receivedAtColumn, event.receivedAt],
  ]);
  const values = columns.map(({ name, type }) => {
    if (ours.has(name)) return own.get(name) ?? null;
    const written = members.get(name);
    const value = written === undefined ? null : converted(type, written);
    if (typeof value === 'object' && value !== null) return null;
    members.delete(name);
    return value;
  });
  const other = [...members].map(([name, written]) => `${JSON.stringify(name)}:${written}`);
  const last = columns.findIndex(({ name }) => name === otherColumn);
  return other.length === 0 ? values : values.with(last, `{${other.join(',')}}`);
}

const inStrings = /"(?:[^"\\]|\\.)*"/g;
const tooLarge = new RegExp(`[eE][+-]?\\d{4}|\\d{${longestNumber}}`);

function badText(value: string): string | undefined {
  if (value.includes('\0')) return 'holds a NUL character';
  return /\p{Surrogate}/u.test(value) ? 'holds half of a surrogate pair' : undefined;
}

/** What no database could hold, anywhere in a value: where it is, and why. */
export function unstorable(value: unknown, at = '', depth = 0): EventProblem | undefined {
  const message = scalarProblem(value);
  if (message !== undefined) return { at, message };
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth === deepest) return { at, message: `is nested deeper than ${deepest} levels` };
  for (const [name, inner] of Object.entries(value)) {
    const problem =
      badText(name) === undefined
        ? unstorable(inner, `${at}${pointerOf(name)}`, depth + 1)
        : { at, message: 'has a name that can not be kept' };
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function scalarProblem(value: unknown): string | undefined {
  if (typeof value === 'string') return badText(value);
  return typeof value === 'number' && !Number.isFinite(value) ? 'is too large a number' : undefined;
}

/** True for a number somewhere in the JSON text that is too large or too long. */
export const hasHugeNumber = (text: string): boolean => tooLarge.test(text) && tooLarge.test(text.replaceAll(inStrings, '""'));
