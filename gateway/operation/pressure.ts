import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Whether this process has more to do than it can. */
export interface Pressure extends Disposable {
  readonly isHigh: boolean;
}

const resolution = 10;
const interval = 500;

/** High while the mean delay of the event loop was above `limit` milliseconds in the last half second. */
export function watchPressure(limit = 250): Pressure {
  const delays = monitorEventLoopDelay({ resolution });
  delays.enable();
  let isHigh = false;
  const timer = setInterval(() => {
    isHigh = delays.mean / 1e6 - resolution > limit;
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
