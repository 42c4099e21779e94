import type { AuditEntry, GatewayBooks } from '../../connectors/gateway-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { AuditLog, GatewayLog } from '../context.ts';
import { Tally } from './tally.ts';

/** Entries in a write; milliseconds until one; entries that wait while the books are away; kinds of refusals, and of what is done often, that are told apart in a second. */
const bounds = { batch: 100, wait: 1_000, waiting: 10_000, refusals: 50, counted: 1_000 } as const;

type Added = Omit<AuditEntry, 'project' | 'at'>;

/** Gathers entries and appends them to the books, in order; what was refused is counted, so that nobody can fill the log. */
export class BookedAudit implements AuditLog, AsyncDisposable {
  readonly #books: Pick<GatewayBooks, 'audit'>;
  readonly #project: string;
  readonly #log: GatewayLog;
  readonly #waiting: AuditEntry[] = [];
  readonly #refusals = new Tally(bounds.refusals);
  readonly #counted = new Tally(bounds.counted);
  #lost = 0;
  #failing = false;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  constructor(books: Pick<GatewayBooks, 'audit'>, project: string, log: GatewayLog) {
    this.#books = books;
    this.#project = project;
    this.#log = log;
  }

  add(entry: Added): void {
    this.#wait({ ...entry, project: this.#project, at: new Date() });
    if (this.#waiting.length >= bounds.batch && !this.#failing) void this.flush();
    this.#arm();
  }

  count(entry: Added): void {
    this.#counted.add(entry);
    this.#arm();
  }

  /** Counts what was refused. */
  refused(entry: Added): void {
    this.#refusals.add(entry);
    this.#arm();
  }

  /** Writes what waits; leaves it waiting when the books are away. */
  async flush(): Promise<void> {
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
    await this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.#writing;
    await this.flush();
    clearTimeout(this.#timer);
    const left = this.#waiting.length + this.#lost;
    if (left > 0) this.#log.error({ entries: left }, 'entries of the audit log are lost: the books are away');
  }

  #wait(entry: AuditEntry): void {
    if (this.#waiting.length < bounds.waiting) this.#waiting.push(entry);
    else this.#lost++;
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, bounds.wait).unref();
  }

  async #write(): Promise<void> {
    for (const entry of [...this.#counted.take(), ...this.#refusals.take()]) this.#wait({ ...entry, project: this.#project });
    try {
      while (this.#waiting.length > 0) {
        const batch = this.#waiting.slice(0, bounds.batch);
        await this.#books.audit(batch);
        this.#waiting.splice(0, batch.length);
      }
      await this.#tellLost();
      this.#failing = false;
    } catch (error) {
      this.#failing = true;
      const why = error instanceof MillraceError ? error.message : String(error);
      this.#log.error({ error: why, waiting: this.#waiting.length, lost: this.#lost }, 'the audit log can not be written');
      this.#arm();
    }
  }

  async #tellLost(): Promise<void> {
    if (this.#lost === 0) return;
    const entries = this.#lost;
    const entry = { actor: 'millrace', action: 'audit.lost', target: this.#project, result: 'lost', details: { entries } };
    await this.#books.audit([{ ...entry, project: this.#project, at: new Date() }]);
    this.#lost -= entries;
  }
}
