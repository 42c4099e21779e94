/** What was there lately: at least so many entries for at least so long, at most twice both. */
export class Recent<Value> {
  readonly #most: number;
  readonly #age: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();
  #turnedAt = Date.now();

  constructor(most: number, age: number) {
    this.#most = most;
    this.#age = age;
  }

  get(key: string): Value | undefined {
    this.#turn();
    return this.#young.get(key) ?? this.#old.get(key);
  }

  set(key: string, value: Value): void {
    this.#turn();
    this.#young.set(key, value);
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  #turn(): void {
    const now = Date.now();
    if (this.#young.size < this.#most && now - this.#turnedAt < this.#age) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#turnedAt = now;
  }
}
