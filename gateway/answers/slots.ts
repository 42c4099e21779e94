import { overloaded } from '../operation/failures.ts';

/** How much may be under way at a time; more is refused at once. */
export interface Slots {
  readonly taken: number;
  /** Takes a slot until disposed, or throws 503. */
  take(): Disposable;
}

export function createSlots(most: number, refused: () => void, isPressed: () => boolean): Slots {
  let taken = 0;
  const slot = { [Symbol.dispose]: () => void (taken -= 1) };
  return {
    get taken() {
      return taken;
    },
    take() {
      if (taken >= most || isPressed()) {
        refused();
        throw overloaded();
      }
      taken += 1;
      return slot;
    },
  };
}
