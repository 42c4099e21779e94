/** A question under way. */
interface Flight<T> {
  readonly answer: Promise<T>;
  /** None where the first who asked can't go: it waits to the end. */
  readonly controller: AbortController | undefined;
  /** Whether the one who comes now may take its answer. */
  readonly isGood: () => boolean;
  waiting: number;
}

/** Equal questions that are asked at the same time are asked once. */
export interface Flights<T> {
  /**
   * The answer to the question under way under this key, or of `ask`. What is asked is given up when all who wait for it have gone.
   * Throws the reason of `signal` when that is aborted.
   */
  join(key: string, ask: (signal: AbortSignal | undefined) => Promise<T>, isGood: () => boolean, signal?: AbortSignal): Joined<T>;
  /** Callers who wait for an answer. */
  readonly waiting: number;
}

export interface Joined<T> {
  readonly isFirst: boolean;
  readonly answer: Promise<T>;
}

export function createFlights<T>(): Flights<T> {
  const flights = new Map<string, Flight<T>>();

  function begin(key: string, ask: (signal: AbortSignal | undefined) => Promise<T>, isGood: () => boolean, canGo: boolean): Flight<T> {
    const controller = canGo ? new AbortController() : undefined;
    const flight: Flight<T> = { answer: ask(controller?.signal), controller, isGood, waiting: 0 };
    flights.set(key, flight);
    const land = (): void => forget(key, flight);
    flight.answer.then(land, land);
    return flight;
  }

  function forget(key: string, flight: Flight<T>): void {
    if (flights.get(key) === flight) flights.delete(key);
  }

  function leave(key: string, flight: Flight<T>): void {
    flight.waiting -= 1;
    if (flight.waiting > 0) return;
    forget(key, flight);
    flight.controller?.abort();
  }

  return {
    get waiting() {
      return [...flights.values()].reduce((sum, flight) => sum + flight.waiting, 0);
    },
    join(key, ask, isGood, signal) {
      const found = flights.get(key);
      const flight = found?.isGood() === true ? found : begin(key, ask, isGood, signal !== undefined);
      flight.waiting += 1;
      const answer = signal === undefined ? flight.answer : untilGone(flight.answer, signal, () => leave(key, flight));
      return { isFirst: flight !== found, answer };
    },
  };
}

function untilGone<T>(answer: Promise<T>, signal: AbortSignal, leave: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (): void => {
      leave();
      reject(new Error('The caller has gone.'));
    };
    if (signal.aborted) return gone();
    signal.addEventListener('abort', gone, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', gone));
  });
}
