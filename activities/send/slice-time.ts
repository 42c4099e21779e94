import { performance } from 'node:perf_hooks';

/** How long one step has sent. */
export interface SliceTime {
  /** A request ended. */
  ended(): void;
  /** Its time for new rows is over. */
  isOver(): boolean;
}

/** A step ends after this many times its time, however it was spent. */
const longest = 6;

/**
 * The time of a step, in milliseconds, without the waits for the application's limits: from the end of a request to that of the next only a
 * tenth of it counts. A step would else end in the moment in which a limit lets requests pass again, and that time would go into the next
 * step's beginning.
 */
export function sliceTime(slice: number, now: () => number = () => performance.now()): SliceTime {
  const startedAt = now();
  let endedAt = startedAt;
  let waited = 0;
  const waiting = (): number => Math.max(0, now() - endedAt - slice / 10);
  return {
    ended() {
      waited += waiting();
      endedAt = now();
    },
    isOver() {
      const taken = now() - startedAt;
      return taken - waited - waiting() >= slice || taken >= longest * slice;
    },
  };
}
