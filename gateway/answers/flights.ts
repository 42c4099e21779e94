/** A question under way. */
interface Flight<T> {
  readonly answer: Promise<T>;
  /** Whether the one who comes now may take its answer. */
  readonly isGood: () => boolean;
  waiting: number;
}

/** Equal questions that are asked at the same time are asked once. */
export interface Flights<T> {
  /** The answer to the question under way under this key, or of `ask`. */
  join(key: string, ask: () => Promise<T>, isGood: () => boolean): Joined<T>;
  /** Callers who wait for an answer. */
  readonly waiting: number;
}

export interface Joined<T> {
  readonly isFirst: boolean;
  readonly answer: Promise<T>;
}

export function createFlights<T>(): Flights<T> {
  const flights = new Map<string, Flight<T>>();

  function begin(key: string, ask: () => Promise<T>, isGood: () => boolean): Promise<T> {
    const flight: Flight<T> = { answer: ask(), isGood, waiting: 1 };
    flights.set(key, flight);
    const land = (): void => {
      if (flights.get(key) === flight) flights.delete(key);
    };
    flight.answer.then(land, land);
    return flight.answer;
  }

  return {
    get waiting() {
      return [...flights.values()].reduce((sum, flight) => sum + flight.waiting, 0);
    },
    join(key, ask, isGood) {
      const found = flights.get(key);
      if (found?.isGood() !== true) return { isFirst: true, answer: begin(key, ask, isGood) };
      found.waiting += 1;
      return { isFirst: false, answer: found.answer };
    },
  };
}
