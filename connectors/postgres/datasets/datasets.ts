import { MillraceError } from '../../../schema/errors.ts';
import type { DatasetRequest, DatasetRow, DatasetShape, DatasetSource } from '../../../schema/dataset.ts';
import type { Datasets, DatasetsOptions, KeyCount } from '../../datasets.ts';
import type { PostgresSettings } from '../settings.ts';
import { describeDataset } from './describe.ts';
import { exportRows } from './export.ts';
import { readFailed } from './failures.ts';
import { keepStatements, type ReadyStatement } from './kept-statements.ts';
import { estimateSubject } from './page-sql.ts';
import { runPrepared } from './prepared.ts';
import { requireSession, roleNotes } from './role.ts';
import { SessionPool, type PooledSession, type SessionOptions } from './session-pool.ts';
import { statementName, type CompiledStatement } from './statement.ts';
import { countKey } from './uniqueness.ts';

/** Datasets of a PostgreSQL warehouse; sessions are opened when they are first needed. */
export async function openDatasets(settings: PostgresSettings, name: string, options: DatasetsOptions): Promise<Datasets> {
  const what = `connection ${name}`;
  const session: SessionOptions = {
    settings,
    what,
    role: options.role,
    timeout: options.timeout,
  };
  return new PostgresDatasets(session, options);
}

class PostgresDatasets implements Datasets {
  readonly #session: SessionOptions;
  readonly #options: DatasetsOptions;
  readonly #pool: SessionPool;
  readonly #statementOf: (request: DatasetRequest | DatasetRow) => ReadyStatement;

  constructor(session: SessionOptions, options: DatasetsOptions) {
    this.#session = session;
    this.#options = options;
    this.#pool = new SessionPool(session, options.connections);
    this.#statementOf = keepStatements(options.maskKey);
  }

  get waiting(): number {
    return this.#pool.waiting;
  }

  async check(): Promise<readonly string[]> {
    return await this.#using(async ({ session }) => {
      await requireSession(session, this.#session.what);
      return await roleNotes(session, this.#session.what, this.#session.role !== undefined);
    });
  }

  async describe(source: DatasetSource): Promise<DatasetShape> {
    const name = source.kind === 'table' ? `dataset ${source.schema}.${source.table}` : 'the query of a dataset';
    const what = `${this.#session.what}, ${name}`;
    return await this.#using(async ({ session }) => await describeDataset(session, source, what));
  }

  async countKey(source: DatasetSource, key: readonly string[]): Promise<KeyCount> {
    const asked = { what: this.#session.what, subjects: [], timeout: this.#options.timeout };
    return await this.#using(async ({ session }) => {
      try {
        return await countKey(session, source, key);
      } catch (error) {
        throw readFailed(error, asked);
      }
    });
  }

  async read(request: DatasetRequest | DatasetRow): Promise<string> {
    const statement = this.#statementOf(request);
    return await this.#using((pooled) =>
      statement.estimates.length === 0 ? this.#run(pooled, statement, statement.values) : this.#runEstimated(pooled, statement),
    );
  }

  export(read: Parameters<Datasets['export']>[0], format: 'ndjson' | 'csv', signal: AbortSignal): AsyncIterable<Uint8Array> {
    return exportRows({ ...this.#session, timeout: this.#options.exportTimeout }, read, format, this.#options.maskKey, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }

  /** With the planner's estimates in the places of their values. */
  async #runEstimated(pooled: PooledSession, statement: ReadyStatement): Promise<string> {
    const rows: number[] = [];
    for (const estimate of statement.estimates) {
      const plan = await this.#run(pooled, estimate, estimate.values);
      rows.push(Number(/"Plan Rows": (\d+)/.exec(plan)?.[1] ?? 0));
    }
    let next = 0;
    const values = statement.values.map((value, at) => (statement.subjects[at] === estimateSubject ? rows[next++] : value));
    return await this.#run(pooled, statement, values);
  }

  /** The JSON that the statement gives. */
  async #run(
    pooled: PooledSession,
    { text, subjects, name = statementName(text) }: CompiledStatement & { readonly name?: string },
    values: readonly unknown[],
  ): Promise<string> {
    try {
      return (await runPrepared(pooled, name, text, values)) ?? 'null';
    } catch (error) {
      throw readFailed(error, { what: this.#session.what, subjects, timeout: this.#options.timeout });
    }
  }

  /** Work with a session; again when that was ended, for the server was started again: after kept ones, and once after a new one. */
  async #using<T>(work: (session: PooledSession) => Promise<T>): Promise<T> {
    for (let fresh = 0; ;) {
      const pooled = this.#pool.takeIdle() ?? (await this.#pool.acquire());
      if (!pooled.used) fresh++;
      try {
        const result = await work(pooled);
        pooled.used = true;
        return result;
      } catch (error) {
        const isCut = error instanceof MillraceError && error.code === 'unavailable';
        // Whoever ended the session says so before the connection's end is noticed.
        if (isCut) pooled.broken = true;
        if (!isCut || fresh > 1) throw error;
      } finally {
        this.#pool.release(pooled);
      }
    }
  }
}
