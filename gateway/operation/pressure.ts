import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Whether this process has more to do than it can. */
export interface Pressure extends Disposable {
  readonly isHigh: boolean;
}

const resolution = 10;
const interval = 500;

/** High while the mean delay of the event loop was above `limit` milliseconds in each of the last two half seconds: one pause alone is soon over. */
export function watchPressure(limit = 250): Pressure {
  const delays = monitorEventLoopDelay({ resolution });
  delays.enable();
  let wasHigh = false;
  let isHigh = false;
  const timer = setInterval(() => {
    const isNow = delays.mean / 1e6 - resolution > limit;
    isHigh = isNow && wasHigh;
    wasHigh = isNow;
    delays.reset();
  }, interval);
  timer.unref();
  return {
    get isHigh() {
      return isHigh;
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      delays.disable();
    },
  };
}
