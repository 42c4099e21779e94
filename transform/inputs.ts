import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Column } from '../schema/column.ts';
import type { FileDialect, StagedFormat } from '../schema/load.ts';
import { MillraceError } from '../schema/errors.ts';
import { countLines, fileId, labelId, lineId } from './chain.ts';
import { checkCsv, type CheckedCsv, type CsvDialect } from './csv-file.ts';
import type { BrokenRows } from './rejections.ts';
import { identifier, literal } from './sql-text.ts';
import type { Field } from './types.ts';

/** One staged file to be transformed. */
export interface TransformInput {
  readonly path: string;
  readonly format: StagedFormat;
  readonly partition: number;
  /** Name of the user's file or label of the partition, for messages and rejections. */
  readonly label: string;
}

export interface OpenOptions {
  readonly columns: readonly Column[];
  /** Exists; takes copies and line numbers. */
  readonly folder: string;
  readonly broken: BrokenRows;
  readonly signal: AbortSignal;
  beat(progress?: unknown): void;
}

/** An input that is ready for SQL. */
export interface OpenInput {
  readonly path: string;
  /** SELECT of the columns, in the order of `columns`, as text. */
  readonly sql: string;
  /** Rows in it, and rows that were broken before. */
  readonly good: number;
  readonly broken: number;
}

export interface OpenInputs {
  readonly inputs: readonly OpenInput[];
  /** CSV `file, line, shift, partition, label`: from row `line` of a file on, its line number is row + shift. */
  readonly linesPath: string;
  readonly foreign: boolean;
}

const smallestLine = 1 << 21;

/** The dialect of the one CSV. */
function ownDialect(columns: readonly Column[]): CsvDialect {
  return {
    type: 'csv',
    delimiter: ',',
    quote: '"',
    escape: '"',
    header: false,
    encoding: 'utf-8',
    newline: '\n',
    maxLineBytes: smallestLine,
    columns: columns.map((column) => column.name),
  };
}

/** A file's rows with the stream's columns: those of the same name, NULL where the file has none. */
function selectColumns(columns: readonly Column[], names: readonly string[], from: string): string {
  const list = columns.map((column, index) => {
    const at = names.indexOf(column.name);
    return `${at < 0 ? 'CAST(NULL AS VARCHAR)' : `f${at}`} AS ${fieldId(index)}`;
  });
  return `SELECT ${list.join(', ')} FROM ${from}`;
}

/** Name of the `index`th column as it was read. */
export function fieldId(index: number): string {
  return identifier(`m~r${index}`);
}

/** Reads a checked CSV by its dialect alone; nothing is guessed. In parallel only where no value holds a line end: DuckDB may take one for a row's end. */
function readCsv(file: CheckedCsv, dialect: CsvDialect): string {
  const names = dialect.columns.map((_, index) => `f${index}: 'VARCHAR'`).join(', ');
  const longest = Math.max(smallestLine, file.longest + 1024);
  const options = [
    literal(file.path),
    'auto_detect = false',
    `header = ${dialect.header}`,
    `delim = ${literal(dialect.delimiter)}`,
    `quote = ${literal(dialect.quote)}`,
    `escape = ${literal(dialect.quote === '' ? '' : dialect.escape || dialect.quote)}`,
    `new_line = ${file.newline === '\r\n' ? `'\\r\\n'` : `'\\n'`}`,
    `nullstr = ''`,
    'allow_quoted_nulls = false',
    `columns = {${names}}`,
    `max_line_size = ${longest}`,
    `buffer_size = ${longest * 4}`,
    `parallel = ${!file.multiline}`,
  ];
  return `read_csv(${options.join(', ')})`;
}

class Opening {
  readonly #options: OpenOptions;
  readonly #lines: string[] = [];

  constructor(options: OpenOptions) {
    this.#options = options;
  }

  get lines(): string {
    return this.#lines.join('');
  }

  async csv(input: TransformInput, no: number, dialect: CsvDialect): Promise<OpenInput> {
    const { broken, columns, folder, signal } = this.#options;
    const before = broken.count;
    this.#lines.push(this.#lineOf(input, no, 0, 0));
    const own = input.format.kind === 'csv';
    const file = await checkCsv({
      path: input.path,
      dialect,
      copyPath: join(folder, `input-${no}.csv`),
      signal,
      beat: () => this.#options.beat(),
      broken: (line, problem, row) => {
        if (own)
          throw new MillraceError(
            'staging-lost',
            `the staged file of ${input.label} is damaged at line ${line}: ${problem}; the load is done again`,
          );
        broken.add(input, line, problem, row);
      },
      shift: (row, offset) => {
        if (!own) this.#lines.push(this.#lineOf(input, no, row, offset));
      },
      flush: async () => await broken.flush(),
    });
    return {
      path: file.path,
      sql: selectColumns(columns, dialect.columns, readCsv(file, dialect)),
      good: file.good,
      broken: broken.count - before,
    };
  }

  #lineOf(input: TransformInput, no: number, row: number, shift: number): string {
    return `${no},${row},${shift},${input.partition},"${input.label.replaceAll('"', '""')}"\n`;
  }

  async open(input: TransformInput, no: number): Promise<OpenInput> {
    const { format } = input;
    if (format.kind === 'csv') return await this.csv(input, no, ownDialect(this.#options.columns));
    if (format.kind === 'pgcopy') throw new Error('binary COPY is never an input of transform');
    return await this.#foreign(input, no, format.dialect);
  }

  async #foreign(input: TransformInput, no: number, dialect: FileDialect): Promise<OpenInput> {
    if (dialect.type === 'csv') return await this.csv(input, no, dialect);
    throw new MillraceError('config', `files of type ${dialect.type} are not read yet`);
  }
}

/** Makes the inputs ready: broken rows are set aside, encodings and line ends made plain, rows counted. */
export async function openInputs(inputs: readonly TransformInput[], options: OpenOptions): Promise<OpenInputs> {
  const opening = new Opening(options);
  const opened: OpenInput[] = [];
  for (const [no, input] of inputs.entries()) opened.push(await opening.open(input, no));
  await options.broken.flush(true);
  const linesPath = join(options.folder, 'lines.csv');
  const file = await open(linesPath, 'w');
  try {
    await file.write(opening.lines);
  } finally {
    await file.close();
  }
  return { inputs: opened, linesPath, foreign: inputs.some((input) => input.format.kind === 'foreign') };
}

/** All rows of the inputs with file, line and label beside the columns as they were read. */
export function sourceOf(
  opened: OpenInputs,
  inputs: readonly TransformInput[],
  columns: readonly Column[],
): { sql: string; fields: readonly Field[] } {
  const parts = opened.inputs.map(
    ({ sql }, no) =>
      `SELECT ${no} AS ${fileId}, ${countLines} AS ${lineId}, ${literal(inputs[no]?.label ?? '')} AS ${labelId}, * FROM (${sql})`,
  );
  return { sql: parts.join(' UNION ALL '), fields: fieldsOf(columns) };
}

/** No rows, for the binder. */
export function emptySource(columns: readonly Column[]): { sql: string; fields: readonly Field[] } {
  const list = columns.map((_, index) => `CAST(NULL AS VARCHAR) AS ${fieldId(index)}`);
  const own = [`0 AS ${fileId}`, `CAST(0 AS BIGINT) AS ${lineId}`, `'' AS ${labelId}`];
  return { sql: `SELECT ${[...own, ...list].join(', ')} WHERE false`, fields: fieldsOf(columns) };
}

function fieldsOf(columns: readonly Column[]): readonly Field[] {
  return columns.map(({ name, type }, index) => ({ name, type, id: fieldId(index), typed: false, origin: name }));
}
