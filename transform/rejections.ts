import { appendFile, writeFile } from 'node:fs/promises';
import { rejectionColumns } from '../schema/load.ts';
import { MillraceError } from '../schema/errors.ts';
import { fileId, lineId, type Chain } from './chain.ts';
import { identifier, literal } from './sql-text.ts';
import { textValue } from './types.ts';

const flushBytes = 1 << 20;
const longestRow = 1 << 16;

function quoted(value: string | null): string {
  return value === null ? '' : `"${value.replaceAll('"', '""')}"`;
}

/** Collects rejections of rows that could not be read at all, in the one CSV. */
export class BrokenRows {
  count = 0;
  /** Place and reason of the first one. */
  first: { readonly label: string; readonly line: number; readonly reason: string } | undefined;
  readonly #path: string;
  readonly #masked: boolean;
  #text = '';

  constructor(path: string, masked: boolean) {
    this.#path = path;
    this.#masked = masked;
  }

  async create(): Promise<void> {
    await writeFile(this.#path, '');
  }

  add(input: { readonly partition: number; readonly label: string }, line: number, reason: string, row: string, rule = 'csv'): void {
    this.count++;
    this.first ??= { label: input.label, line, reason };
    const kept = this.#masked ? '***' : row.slice(0, longestRow).replaceAll('\0', '\ufffd').replace(/\r$/, '');
    const values = [String(input.partition), input.label, String(line), null, null, rule, reason, JSON.stringify(kept)];
    this.#text += `${values.map(quoted).join(',')}\n`;
  }

  async flush(force = false): Promise<void> {
    if (this.#text.length < flushBytes && !force) return;
    const text = this.#text;
    this.#text = '';
    await appendFile(this.#path, text);
  }
}

const table = '"m~rejected"';

/** Where the rejections of failed rows are gathered. */
export async function createRejected(chain: Chain): Promise<void> {
  const columns = rejectionColumns.map((name) => `${identifier(name)} VARCHAR`).join(', ');
  await chain.engine.run(`CREATE TEMP TABLE ${table} (${columns}, fails BOOLEAN, file_no INTEGER, line BIGINT)`);
}

function jsonOf(values: readonly { readonly name: string; readonly sql: string; readonly masked: boolean }[]): string {
  const pairs = values.map(({ name, sql, masked }) => `${literal(name)}, ${masked ? `CASE WHEN ${sql} IS NOT NULL THEN '***' END` : sql}`);
  return `CAST(json_object(${pairs.join(', ')}) AS VARCHAR)`;
}

function isMasked(chain: Chain, name: string, protect: readonly string[]): boolean {
  return protect.includes(name) || chain.fields.some((field) => field.origin === name && protect.includes(field.name));
}

/** Adds the rows of a chain that failed; gives how many. `lines` is a table of the files' line numbers. */
export async function gatherRejected(
  chain: Chain,
  options: { readonly key: readonly string[]; readonly protect: readonly string[]; readonly lines: string },
): Promise<number> {
  if (chain.failures.length === 0) return 0;
  const { protect } = options;
  const keys = chain.fields.filter((field) => options.key.includes(field.name));
  const key =
    keys.length === 0
      ? 'NULL'
      : jsonOf(keys.map((field) => ({ name: field.name, sql: textValue(field), masked: protect.includes(field.name) })));
  const row = jsonOf(chain.raw.map((field) => ({ name: field.name, sql: textValue(field), masked: isMasked(chain, field.name, protect) })));
  const rules = chain.failures.map(
    (failure) => `(${failure.code}, ${literal(failure.column)}, ${literal(failure.rule)}, ${literal(failure.reason)}, ${failure.fails})`,
  );
  return await chain.engine.run(
    `INSERT INTO ${table}
     SELECT l.partition, ${chain.located ? 'l.label, r.line + l.shift' : 'NULL, NULL'}, r.key, f.name, f.rule, f.reason, r.row, f.fails, r.file, r.line
     FROM (SELECT ${fileId} AS file, ${lineId} AS line, ${chain.outcome} AS outcome, ${key} AS key, ${row} AS row FROM (${chain.those('> 0', true)})) AS r
     JOIN (VALUES ${rules.join(', ')}) AS f(code, name, rule, reason, fails) ON f.code = r.outcome
     ASOF JOIN ${options.lines} AS l ON l.file = r.file AND l.line <= r.line`,
  );
}

/** Throws for the first row that failed under `on_failure: fail`. */
export async function refuseFailed(chain: Chain): Promise<void> {
  const sentence = `coalesce(file || ', line ' || position, 'a row of a sql step') || ', column ' || "column" || ': ' || reason || ' (rule ' || rule || ', '`;
  const [row] = await chain.engine.rows(`SELECT ${sentence} AS sentence FROM ${table} WHERE fails ORDER BY file_no, line LIMIT 1`);
  const found = row?.['sentence'];
  if (typeof found !== 'string') return;
  const { pipeline, stream } = chain.where;
  throw new MillraceError(
    'rejected',
    `pipeline ${pipeline}, stream ${stream}: ${found}on_failure: fail); correct the source, or set on_failure: reject`,
  );
}

/** Writes the gathered rejections as the one CSV. */
export async function writeRejected(chain: Chain, path: string): Promise<void> {
  const columns = rejectionColumns.map(identifier).join(', ');
  await chain.engine.run(
    `COPY (SELECT ${columns} FROM ${table} ORDER BY file_no, line) TO ${literal(path)} (FORMAT csv, HEADER false, DELIMITER ',', QUOTE '"', ESCAPE '"', NULLSTR '', FORCE_QUOTE *, USE_TMP_FILE false)`,
  );
}
