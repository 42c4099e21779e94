/** How long the sending of rows waits for what, in milliseconds. */
export interface Pace {
  /** New rows are taken for this long by one step; waits for the application's limits don't count. */
  readonly slice: number;
  /** A proof of the hold is good for this long. */
  readonly lease: number;
  /** Before the second, third, … try. */
  pause(tries: number): number;
  readonly longestPause: number;
  /** How often a row that is locked or throttled for itself is sent in a run. */
  readonly sends: number;
  /** How often a write is tried whose answer is missing, or that couldn't be delivered. */
  readonly tries: number;
}

export const usualPace: Pace = {
  slice: 10_000,
  lease: 5000,
  pause: (tries) => 500 * 2 ** Math.min(tries, 6),
  longestPause: 60_000,
  sends: 6,
  tries: 4,
};
