import { overloaded } from '../operation/failures.ts';

/** How much may be under way at a time; more is refused at once. */
export interface Slots {
  readonly taken: number;
  /** Runs the work, or throws 503. */
  use<T>(work: () => Promise<T>): Promise<T>;
  /** Takes a slot until disposed, or throws 503. */
  take(): Disposable;
}

export function createSlots(most: number, refused: () => void, isPressed: () => boolean): Slots {
  let taken = 0;
  const enter = (): void => {
    if (taken >= most || isPressed()) {
      refused();
      throw overloaded();
    }
    taken += 1;
  };
  return {
    get taken() {
      return taken;
    },
    take() {
      enter();
      return { [Symbol.dispose]: () => void (taken -= 1) };
    },
    async use(work) {
      enter();
      try {
        return await work();
      } finally {
        taken -= 1;
      }
    },
  };
}
