import type { GatewayLog } from './context.ts';

type Opened = Disposable | AsyncDisposable;

/** What was opened, to be closed in the opposite order. */
export class Closing {
  readonly log: GatewayLog;
  readonly #opened: Opened[] = [];
  #closed: Promise<void> | undefined;

  constructor(log: GatewayLog) {
    this.log = log;
  }

  add<T extends Opened>(opened: T): T {
    this.#opened.push(opened);
    return opened;
  }

  /** Closes all, whatever fails on the way; that is logged. */
  async close(): Promise<void> {
    await (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    for (const opened of this.#opened.toReversed()) {
      try {
        if (Symbol.asyncDispose in opened) await opened[Symbol.asyncDispose]();
        else opened[Symbol.dispose]();
      } catch (error) {
        this.log.error({ error: String(error) }, 'something could not be closed');
      }
    }
  }
}
