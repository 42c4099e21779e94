import type pg from 'pg';

/** What a value is sent as without a driver's help; undefined for what needs it. */
function sent(value: unknown): string | Buffer | null | undefined {
  if (typeof value === 'string' || value === null || Buffer.isBuffer(value)) return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/**
 * A prepared statement of which the first column of the first row is wanted, as text: a query of the driver's own asks what the columns
 * are each time, and makes a result of them. The driver calls what isn't said to be private.
 */
class FirstValue {
  /** The driver notes under this name what it has prepared. */
  readonly name: string;
  readonly text: string;
  /** The driver puts the end of its `query_timeout` here. */
  callback: (() => void) | undefined;
  readonly #values: (string | Buffer | null)[];
  readonly #resolve: (value: string | undefined) => void;
  readonly #reject: (error: Error) => void;
  #row: readonly (string | null)[] | undefined;

  constructor(
    name: string,
    text: string,
    values: (string | Buffer | null)[],
    resolve: (value: string | undefined) => void,
    reject: (error: Error) => void,
  ) {
    this.name = name;
    this.text = text;
    this.#values = values;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(connection: pg.Connection): void {
    const { stream } = connection;
    stream.cork();
    try {
      if (!Object.hasOwn(preparedOn(connection), this.name)) connection.parse({ name: this.name, text: this.text, types: [] }, true);
      connection.bind({ statement: this.name, values: this.#values }, true);
      connection.execute(null, true);
      connection.sync();
    } finally {
      stream.uncork();
    }
  }

  handleRowDescription(): void {}

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    this.#row ??= fields;
  }

  handleCommandComplete(): void {}

  handleEmptyQuery(): void {}

  handlePortalSuspended(): void {}

  handleError(error: Error): void {
    this.callback?.();
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.callback?.();
    this.#resolve(this.#row?.[0] ?? undefined);
  }
}

/** What the driver has prepared on a connection, by name: its own notes. */
export function preparedOn(connection: pg.Connection): object {
  const known: unknown = Reflect.get(connection, 'parsedStatements');
  return typeof known === 'object' && known !== null ? known : {};
}

/** Runs a statement that the session keeps prepared under the name. Undefined where a value is one that the driver must write. */
export function firstValue(
  client: pg.Client,
  name: string,
  text: string,
  values: readonly unknown[],
): Promise<string | undefined> | undefined {
  const written = values.map(sent);
  if (!written.every((value) => value !== undefined)) return undefined;
  return new Promise((resolve, reject) => void client.query(new FirstValue(name, text, written, resolve, reject)));
}
