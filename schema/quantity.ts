import { z } from 'zod';

const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const bytes = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 } as const;

const durationUnits: Readonly<Record<string, number>> = {
  ...milliseconds,
  sec: milliseconds.s,
  second: milliseconds.s,
  min: milliseconds.m,
  minute: milliseconds.m,
  hour: milliseconds.h,
  day: milliseconds.d,
  week: milliseconds.w,
};

const cadences: Readonly<Record<string, number>> = { hourly: milliseconds.h, daily: milliseconds.d, weekly: milliseconds.w };

/** Milliseconds of `15 minutes`, `90s`, `1h 30m`; undefined when it isn't a duration above zero. */
export function parseDuration(text: string): number | undefined {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/gi)];
  if (parts.length === 0 || text.replace(/(\d+(?:\.\d+)?)\s*([a-z]+)/gi, '').trim() !== '') return undefined;
  let total = 0;
  for (const [, amount, name] of parts) {
    const unit = unitOf(name ?? '');
    if (unit === undefined) return undefined;
    total += Number(amount) * unit;
  }
  return total >= 1 ? Math.round(total) : undefined;
}

function unitOf(name: string): number | undefined {
  const lower = name.toLowerCase();
  return durationUnits[lower] ?? (lower.length > 3 && lower.endsWith('s') ? durationUnits[lower.slice(0, -1)] : undefined);
}

/** Milliseconds of `hourly`, `daily`, `weekly`, or of a duration. */
export function parseCadence(text: string): number | undefined {
  return cadences[text.trim().toLowerCase()] ?? parseDuration(text);
}

/** Bytes of `64 MB` or `1.5GB` (powers of 1024); undefined when it isn't a size above zero. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB)$/i.exec(text.trim());
  const unit = Object.entries(bytes).find(([name]) => name === match?.[2]?.toUpperCase())?.[1];
  const size = unit === undefined ? 0 : Math.round(Number(match?.[1]) * unit);
  return size >= 1 ? size : undefined;
}

/** 0.1 for `10%`; undefined when it isn't a percentage from 0 to 100. */
export function parseShare(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim());
  const share = match === null ? NaN : Number(match[1]) / 100;
  return share <= 1 ? share : undefined;
}

/** The value of a quantity that its schema has accepted. */
export function accepted(parse: (text: string) => number | undefined, text: string): number {
  const value = parse(text);
  if (value === undefined) throw new RangeError(`not a quantity: ${text}`);
  return value;
}

/** What is wrong with a value that is none: what to write in its place, where it is a bare number. */
export function unlike(what: string, example: string, remedies: (amount: string) => readonly string[]) {
  return ({ input }: { readonly input?: unknown }): string | undefined => {
    if (input === undefined) return undefined;
    const bare = (typeof input === 'number' && input >= 0) || (typeof input === 'string' && /^\s*\d+(\.\d+)?\s*$/.test(input));
    const [first, ...others] = bare ? remedies(String(input).trim()) : [];
    if (first === undefined) return `must be ${what} ${example}`;
    const given = typeof input === 'number' ? `the number ${input}` : JSON.stringify(input);
    return `must be ${what}, not ${given}: write ${[first, ...others].join(' or ')}`;
  };
}

const withUnits = (amount: string, units: readonly string[], parse: (text: string) => number | undefined): readonly string[] =>
  units.map((unit) => amount + unit).filter((text) => parse(text) !== undefined);

/** A text with a unit, read by `parse`. */
function quantity(
  what: string,
  example: string,
  { parse, units }: { readonly parse: (text: string) => number | undefined; readonly units: readonly string[] },
): z.ZodString {
  const error = unlike(what, example, (amount) => withUnits(amount, units, parse));
  return z.string({ error }).refine((text) => parse(text) !== undefined, { error });
}

const likeDuration = 'such as "15 minutes", "90s" or "1h 30m"';

/** A duration as people write it. */
export const duration = (): z.ZodString => quantity('a duration', likeDuration, { parse: parseDuration, units: ['s', 'm', 'd'] });

/** Durations of a second or more. */
function parseLong(text: string): number | undefined {
  const found = parseDuration(text);
  return found === undefined || found < 1000 ? undefined : found;
}

/** A duration of a second or more. */
export function atLeastSecond(): z.ZodString {
  const wrong = unlike('a duration', likeDuration, (amount) => withUnits(amount, ['s', 'm', 'h'], parseLong));
  return z.string({ error: wrong }).refine((text) => parseLong(text) !== undefined, {
    error: ({ input }) => (typeof input === 'string' && parseDuration(input) !== undefined ? 'must be at least "1s"' : wrong({ input })),
  });
}

/** `hourly`, `daily`, `weekly`, or a duration. */
export const cadence = (): z.ZodString =>
  quantity('"hourly", "daily", "weekly" or a duration', 'such as "6 hours"', { parse: parseCadence, units: ['m', 'h', 'd'] });

/** A size in bytes as people write it. */
export const size = (): z.ZodString => quantity('a size', 'such as "64 MB"', { parse: parseSize, units: ['B', 'KB', 'MB'] });

/** A percentage as people write it. */
export function percentage(): z.ZodString {
  const error = unlike('a percentage', 'from "0%" to "100%"', asShare);
  return z.string({ error }).refine((text) => parseShare(text) !== undefined, { error });
}

/** `5%` for 5, and for 0.05. */
function asShare(amount: string): readonly string[] {
  const number = Number(amount);
  const percent = `${number > 0 && number < 1 ? Number((number * 100).toPrecision(12)) : number}%`;
  return parseShare(percent) === undefined ? [] : [percent];
}

/** The share of `2%` or `> 2%`. */
export function parseAbove(text: string): number | undefined {
  return parseShare(text.replace(/^\s*>/, ''));
}

/** A share that is to be exceeded: `> 2%`, or `2%`. */
export function above(): z.ZodString {
  const error = unlike('a percentage', 'such as "> 2%"', asShare);
  return z.string({ error }).refine((text) => parseAbove(text) !== undefined, { error });
}
