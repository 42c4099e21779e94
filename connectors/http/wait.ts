type Headers = Readonly<Record<string, string>>;

/** Longest wait that is obeyed: a day. */
export const longestWait = 24 * 3_600_000;

const millisecondHeaders = ['retry-after-ms', 'x-retry-after-ms', 'x-ms-retry-after-ms'];
const resetHeaders = ['x-ratelimit-reset', 'ratelimit-reset', 'x-rate-limit-reset', 'x-rate-limit-reset-after', 'x-ratelimit-reset-after'];
const remainingHeaders = ['x-ratelimit-remaining', 'ratelimit-remaining', 'x-rate-limit-remaining'];

/** A number as seconds to wait, or as a moment in seconds or milliseconds since 1970; in milliseconds to wait. */
function fromNumber(text: string, now: number): number | undefined {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) return undefined;
  if (value >= 1e11) return Math.max(0, value - now);
  if (value >= 1e9) return Math.max(0, value * 1000 - now);
  return value * 1000;
}

function fromDate(text: string, now: number): number | undefined {
  const at = /[a-z]/i.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** The moment by the other side's clock, rounded down as HTTP dates are; ours where it doesn't say. */
function theirNow(headers: Headers, now: number): number {
  const theirs = Date.parse(headers['date'] ?? '');
  return Number.isNaN(theirs) ? now : theirs;
}

/** Milliseconds until the limit is reset, by the headers that many APIs have in common: seconds, or a moment. */
function resetOf(headers: Headers, now: number): number | undefined {
  const value = resetHeaders.map((name) => headers[name]).find((text) => text !== undefined);
  if (value !== undefined) return fromNumber(value, now) ?? fromDate(value, now);
  // https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers: `limit=100, remaining=0, reset=5`, `"default";r=0;t=5`
  const combined = /(?:^|[,;\s])(?:reset|t)=(\d+)/.exec(headers['ratelimit'] ?? '')?.[1];
  return combined === undefined ? undefined : fromNumber(combined, now);
}

/**
 * Milliseconds that an answer asks to wait, by Retry-After (seconds, a date, a moment), its variants in milliseconds, or the reset of the
 * limit; undefined when it doesn't say. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function waitOf(headers: Headers, ourNow: number): number | undefined {
  const now = theirNow(headers, ourNow);
  for (const name of millisecondHeaders) {
    const value = Number(headers[name] ?? NaN);
    if (Number.isFinite(value) && value >= 0) return value;
  }
  const text = headers['retry-after'];
  const asked = text === undefined ? undefined : (fromNumber(text, now) ?? fromDate(text, now));
  return asked ?? resetOf(headers, now);
}

/** Milliseconds to wait where an answer says that nothing is left of the limit, though it was served. */
export function exhaustedFor(headers: Headers, ourNow: number): number | undefined {
  const remaining = remainingHeaders.map((name) => headers[name]).find((text) => text !== undefined);
  return remaining?.trim() === '0' ? resetOf(headers, theirNow(headers, ourNow)) : undefined;
}
