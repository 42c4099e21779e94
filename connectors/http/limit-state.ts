import type { Limits, Permits } from './stores.ts';

const day = 86_400_000;

/** How often leave is asked for again where requests end at any time. */
const concurrencyWait = 50;

/** What is kept for a credential; moments are milliseconds since 1970 by one clock. */
export interface LimitState {
  /** Permits by the end of the slot of time in which they were given, the oldest first. */
  readonly spent: readonly (readonly [at: number, permits: number])[];
  /** Requests under way by the moment at which they count as ended. */
  readonly leases: readonly (readonly [until: number, permits: number])[];
  readonly pausedUntil: number;
  /** Days since 1970, and the requests of that day. */
  readonly day: number;
  readonly used: number;
}

export const newLimitState: LimitState = { spent: [], leases: [], pausedUntil: 0, day: 0, used: 0 };

/**
 * Milliseconds between leave and use that the sliding time allows for: a permit counts this much longer, so that late requests and
 * networks of uneven speed never make more than `requests` in any time of `per`.
 */
export function slackOf(per: number): number {
  return Math.min(Math.max(per / 50, 40), 1000);
}

type Counts = readonly (readonly [number, number])[];

const sum = (counts: Counts): number => counts.reduce((total, [, count]) => total + count, 0);

interface Free {
  readonly permits: number;
  readonly wait: number;
  readonly reason: string;
}

function freeOfRate(spent: Counts, { requests, per }: NonNullable<Limits['rate']>, now: number): Free {
  const wait = (spent[0]?.[0] ?? now) + per + slackOf(per) - now;
  return { permits: requests - sum(spent), wait, reason: 'rate' };
}

/** Takes leave for up to `wanted` requests at the moment `now`. */
export function takePermits(state: LimitState, limits: Limits, wanted: number, lease: number, now: number): [LimitState, Permits] {
  const { rate, concurrency, daily } = limits;
  const today = Math.floor(now / day);
  const used = state.day === today ? state.used : 0;
  const spent = rate === undefined ? [] : state.spent.filter(([at]) => at + rate.per + slackOf(rate.per) > now);
  const leases = state.leases.filter(([until]) => until > now);
  const frees: Free[] = [{ permits: state.pausedUntil > now ? 0 : wanted, wait: state.pausedUntil - now, reason: 'asked to wait' }];
  if (daily !== undefined) frees.push({ permits: daily - used, wait: (today + 1) * day - now, reason: 'daily quota' });
  if (rate !== undefined) frees.push(freeOfRate(spent, rate, now));
  if (concurrency !== undefined) frees.push({ permits: concurrency - sum(leases), wait: concurrencyWait, reason: 'concurrency' });

  const granted = Math.min(wanted, ...frees.map(({ permits }) => Math.max(0, permits)));
  const next = {
    ...state,
    spent: rate === undefined ? [] : added(spent, slotEnd(now, rate.per), granted),
    leases: concurrency === undefined ? [] : added(leases, now + lease, granted),
    day: today,
    used: used + granted,
  };
  if (granted > 0) return [next, { granted, wait: 0, reason: '' }];
  const longest = frees.filter(({ permits }) => permits <= 0).reduce((one, other) => (other.wait > one.wait ? other : one));
  return [next, { granted, wait: Math.max(1, Math.ceil(longest.wait)), reason: longest.reason }];
}

/** A two-hundredth of the time at least, so that what is kept stays small; all of a slot comes back at its end, so that it stays short too. */
function slotEnd(now: number, per: number): number {
  const slot = Math.max(1, Math.ceil(per / 200));
  return Math.ceil(now / slot) * slot;
}

function added(counts: Counts, at: number, permits: number): Counts {
  if (permits === 0) return counts;
  const last = counts.at(-1);
  return last?.[0] === at ? [...counts.slice(0, -1), [at, last[1] + permits]] : [...counts, [at, permits]];
}

/** Gives concurrency back, of the oldest leases first. */
export function returnPermits(state: LimitState, permits: number): LimitState {
  let left = permits;
  const leases = state.leases.flatMap(([until, count]): (readonly [number, number])[] => {
    const taken = Math.min(left, count);
    left -= taken;
    return taken === count ? [] : [[until, count - taken]];
  });
  return { ...state, leases };
}

/** No request before `until`. */
export function pauseUntil(state: LimitState, until: number): LimitState {
  return until > state.pausedUntil ? { ...state, pausedUntil: until } : state;
}
