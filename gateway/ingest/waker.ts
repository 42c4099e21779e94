export interface WakerOptions {
  /** Milliseconds between two calls. */
  readonly every: number;
  wake(): Promise<void>;
  /** Called for the first of several failures in a row, and with undefined for the success that ends them. */
  onFault(error: unknown): void;
}

/** Wakes the loader, at most so often; a call that comes in between is made up for. What fails is asked for again by the owner, as long as events wait. */
export class Waker implements AsyncDisposable {
  readonly #options: WakerOptions;
  #calledAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #calling: Promise<void> | undefined;
  #asked = false;
  #failing = false;

  constructor(options: WakerOptions) {
    this.#options = options;
  }

  /** Asks for the loader to be woken, now or as soon as it may be. */
  ask(): void {
    this.#asked = true;
    if (this.#timer !== undefined || this.#calling !== undefined) return;
    const wait = this.#calledAt + this.#options.every - Date.now();
    // Timers may end a little early, and segments are sealed by timers.
    if (wait <= 20) this.#call();
    else this.#timer = setTimeout(() => this.#call(), wait);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#calling;
    if (this.#asked) this.#call();
    await this.#calling;
    clearTimeout(this.#timer);
  }

  #call(): void {
    this.#timer = undefined;
    this.#asked = false;
    this.#calledAt = Date.now();
    this.#calling = this.#wake().finally(() => {
      this.#calling = undefined;
      if (this.#asked) this.ask();
    });
  }

  async #wake(): Promise<void> {
    try {
      await this.#options.wake();
      if (this.#failing) this.#options.onFault(undefined);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#options.onFault(error);
      this.#failing = true;
    }
  }
}
