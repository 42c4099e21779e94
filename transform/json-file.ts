import type { Column } from '../schema/column.ts';
import { membersOf } from '../schema/json-text.ts';
import type { CheckedCsv } from './csv-file.ts';
import { readElements, readLines, type JsonText } from './json-rows.ts';
import { RowFiles } from './row-files.ts';

export interface JsonOptions {
  readonly path: string;
  readonly type: 'ndjson' | 'json';
  readonly columns: readonly Column[];
  /** Where the rows go, as the one CSV. */
  readonly copyPath: string;
  readonly signal: AbortSignal;
  beat(): void;
  broken(line: number, problem: string, row: string): void;
  shift(row: number, offset: number): void;
  flush(): Promise<void>;
}

const rowsBetween = 1000;

/** A value as text: strings decoded, null as NULL, all else as it is written, so that numbers keep their digits. */
function valueText(written: string): string | null {
  if (written === 'null') return null;
  return written.startsWith('"') ? String(JSON.parse(written)) : written;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Values = readonly (string | null)[];

/** The row's values in the order of the columns, or a sentence on what is wrong. */
function valuesOf({ text, problem }: JsonText, columns: ReadonlyMap<string, number>): Values | string {
  if (problem !== undefined) return problem;
  const parsed = parse(text);
  if (parsed === undefined) return 'the row is not valid JSON';
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 'the row is not a JSON object';
  const values: (string | null)[] = Array.from({ length: columns.size }, () => null);
  for (const [key, written] of membersOf(text)) {
    const at = columns.get(key);
    if (at === undefined) return 'the row has a key that the file did not have when it was planned';
    values[at] = valueText(written);
  }
  const texts = values.filter((value) => value !== null);
  if (texts.some((value) => value.includes('\0'))) return 'the row holds a NUL character';
  return texts.some((value) => /\p{Surrogate}/u.test(value)) ? 'the row holds half of a surrogate pair' : values;
}

class Conversion {
  readonly #options: JsonOptions;
  readonly #columns: ReadonlyMap<string, number>;
  #good = 0;
  #broken = 0;
  #longest = 0;
  #offset: number | undefined;

  constructor(options: JsonOptions) {
    this.#options = options;
    this.#columns = new Map(options.columns.map((column, index) => [column.name, index]));
  }

  async run(): Promise<CheckedCsv> {
    const { path, type, copyPath, signal } = this.#options;
    const files = new RowFiles(copyPath);
    files.divide();
    try {
      let read = 0;
      for await (const row of type === 'ndjson' ? readLines(path) : readElements(path)) {
        const line = this.#take(row);
        if (line !== undefined) {
          files.write(Buffer.from(`${line}\n`));
          files.endRow();
        }
        if (read++ % rowsBetween > 0) continue;
        signal.throwIfAborted();
        this.#options.beat();
        await this.#options.flush();
      }
    } finally {
      files.close();
    }
    return { whole: undefined, pieces: files.pieces, newline: '\n', good: this.#good, broken: this.#broken, longest: this.#longest };
  }

  #take(row: JsonText): string | undefined {
    const values = valuesOf(row, this.#columns);
    if (typeof values === 'string') {
      this.#broken++;
      this.#options.broken(row.line, values, row.text);
      return undefined;
    }
    this.#good++;
    if (row.line - this.#good !== this.#offset) {
      this.#offset = row.line - this.#good;
      this.#options.shift(this.#good, this.#offset);
    }
    const line = values.map((value) => (value === null ? '' : `"${value.replaceAll('"', '""')}"`)).join(',');
    this.#longest = Math.max(this.#longest, line.length * 3);
    return line;
  }
}

/** Writes the rows of a JSON file as the one CSV, strictly; what isn't an object is set aside. */
export async function convertJson(options: JsonOptions): Promise<CheckedCsv> {
  return await new Conversion(options).run();
}
