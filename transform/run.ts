import type { Column } from '../schema/column.ts';
import type { Step } from '../schema/step.ts';
import { countLines, fileId, labelId, lineId, type Chain } from './chain.ts';
import type { OpenInputs } from './inputs.ts';
import { writeOutput, type OutputFile } from './output.ts';
import { createRejected, gatherRejected, refuseFailed, writeRejected } from './rejections.ts';
import { identifier, literal } from './sql-text.ts';
import { applyStep } from './steps.ts';
import { columnType, settle, textValue } from './types.ts';

export interface RunOptions {
  readonly key: readonly string[];
  readonly protect: readonly string[];
  readonly output?: readonly Column[];
  readonly outputPath?: string;
  readonly files?: number;
}

export interface RunCounts {
  readonly rows: number;
  readonly files: readonly OutputFile[];
  readonly read: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly duplicates: number;
}

const lines = '"m~lines"';
/** Rows that are too few for several files to be worth the while. */
const worthSplitting = 100_000;

/** The steps of one transform: compiles them on to a chain, starts a new chain behind a `sql` step, and keeps the books. */
export class Run {
  chain: Chain;
  readonly #options: RunOptions;
  readonly #opened: OpenInputs | undefined;
  #rejected = 0;
  #filtered = 0;
  #duplicates = 0;
  /** Rows that come into the present chain. */
  #incoming = 0;

  constructor(chain: Chain, options: RunOptions, opened: OpenInputs | undefined) {
    this.chain = chain;
    this.#options = options;
    this.#opened = opened;
  }

  /** Loads the line numbers, counts the rows and makes room for rejections. */
  async start(): Promise<void> {
    await createRejected(this.chain);
    if (this.#opened === undefined) return;
    for (const { good, sql } of this.#opened.inputs) this.#incoming += good ?? (await this.#count(sql));
    await this.chain.engine.run(
      `CREATE TEMP TABLE ${lines} AS FROM read_csv(${literal(this.#opened.linesPath)}, auto_detect = false, header = false, delim = ',', quote = '"', escape = '"',
       parallel = false, columns = {file: 'INTEGER', line: 'BIGINT', shift: 'BIGINT', partition: 'INTEGER', label: 'VARCHAR'}, nullstr = 'NULL', allow_quoted_nulls = false)`,
    );
  }

  async #count(sql: string): Promise<number> {
    const [row] = await this.chain.engine.rows(`SELECT count(*) AS n FROM (${sql})`);
    return Number(row?.['n']);
  }

  async step(step: Step, index: number): Promise<void> {
    this.chain.step = `step ${index + 1} (${Object.keys(step).join(', ')})`;
    if ('sql' in step) await this.#query(step.sql);
    else await applyStep(this.chain, step);
  }

  /** Writes what is left, and says what became of every row. */
  async finish(failedPath: string): Promise<RunCounts> {
    const { chain } = this;
    chain.step = '';
    this.#requireKey();
    const output = (this.#options.output ?? []).map(({ name }) => `${textValue(chain.field(name))} AS ${identifier(name)}`);
    const files = await writeOutput(chain.engine, `SELECT ${output.join(', ')} FROM (${chain.those('IS NULL')})`, {
      path: this.#options.outputPath ?? '',
      ordered: chain.ordered,
      files: chain.ordered || this.#incoming < worthSplitting ? 1 : (this.#options.files ?? 1),
    });
    const rows = files.reduce((sum, file) => sum + file.rows, 0);
    await this.#balance(rows);
    if (this.#rejected > 0) await writeRejected(chain, failedPath);
    const [rejected, filtered, duplicates] = [this.#rejected, this.#filtered, this.#duplicates];
    return { rows, files, read: rows + rejected + filtered + duplicates, rejected, filtered, duplicates };
  }

  #requireKey(): void {
    const { chain } = this;
    const names = this.#options.key.filter((name) => chain.fields.some((field) => field.name === name));
    chain.decide(
      names.map((name) => ({
        condition: `${chain.field(name).id} IS NULL`,
        outcome: chain.failure(name, 'not_null', 'the value of a key column is missing', chain.onFailure === 'fail' ? 'fail' : 'reject'),
      })),
    );
  }

  /** Books the rows that came into the chain and didn't leave it. */
  async #balance(leaving: number): Promise<void> {
    const { chain } = this;
    const { duplicates } = chain;
    const missing = this.#incoming - leaving - duplicates;
    const rejected = missing === 0 ? 0 : await gatherRejected(chain, { ...this.#options, lines });
    if (rejected > 0) await refuseFailed(chain);
    const filtered = missing - rejected;
    if (filtered < 0 || (filtered > 0 && !chain.filters)) {
      throw new Error(`rows don't balance: ${this.#incoming} came in, ${leaving} left, ${rejected} rejected, ${duplicates} duplicates`);
    }
    this.#rejected += rejected;
    this.#duplicates += duplicates;
    this.#filtered += filtered;
  }

  /** A `sql` step: the rows so far become the table `input`, and its result the rows of a new chain. */
  async #query(sql: string): Promise<void> {
    const { chain } = this;
    const { engine } = chain;
    const result = chain.newId();
    const leaving = await engine.run(`CREATE OR REPLACE TEMP TABLE input AS ${chain.surviving()}`);
    if (this.#opened !== undefined) await this.#balance(leaving);
    let rows: number;
    try {
      await chain.checkQuery(sql);
      rows = await engine.run(`CREATE TEMP TABLE ${result} AS FROM (${sql}\n)`);
      if (rows > leaving) throw new Error(`the query made ${rows} rows of ${leaving}; it may leave rows out but not add any`);
    } catch (error) {
      throw chain.mistake(error);
    }
    this.#filtered += leaving - rows;
    this.#incoming = rows;
    this.chain = chain.follow(await this.#sourceOf(result));
  }

  async #sourceOf(table: string): Promise<{ sql: string; fields: Chain['fields'] }> {
    const described = await this.chain.engine.rows(`DESCRIBE FROM ${table}`);
    const columns = described.map((row) => ({
      name: String(row['column_name']),
      duck: String(row['column_type']),
      id: this.chain.newId(),
    }));
    const list = columns.map(({ name, duck, id }) => `${settle(identifier(name), duck)} AS ${id}`);
    const own = [`0 AS ${fileId}`, `${countLines} AS ${lineId}`, `'' AS ${labelId}`];
    const fields = columns.map(({ name, duck, id }) => {
      const type = columnType(duck);
      return { name, type, id, typed: type !== 'text' && type !== 'bytea' };
    });
    return { sql: `SELECT ${[...own, ...list].join(', ')} FROM ${table}`, fields };
  }
}
