/** One measurement: each round the reference and Millrace do the same once. */
export interface Case {
  readonly name: string;
  /** The ratio to reach. */
  readonly goal: number;
  readonly rows: number;
  /** Seconds that the soonest possible end takes, in place of a reference. */
  readonly theory?: number;
  /** Before the first round; not timed. */
  setUp?(): Promise<void>;
  /** Before each round; not timed. */
  before?(round: number): Promise<void>;
  reference(): Promise<void>;
  /** After the reference, before Millrace; not timed. */
  between?(): Promise<void>;
  millrace(): Promise<void>;
  /** Throws when the contents differ. */
  compare?(): Promise<void>;
}
