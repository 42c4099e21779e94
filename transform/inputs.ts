import { join } from 'node:path';
import type { Column } from '../schema/column.ts';
import type { StagedFormat } from '../schema/load.ts';
import { MillraceError } from '../schema/errors.ts';
import { countLines, fileId, labelId, lineId } from './chain.ts';
import { checkCsv, type CheckedCsv, type CheckOptions, type CsvDialect } from './csv-file.ts';
import { convertJson } from './json-file.ts';
import { LineNumbers } from './line-numbers.ts';
import { readParquet } from './parquet-file.ts';
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
interface OpenInput {
  readonly paths: readonly string[];
  /** SELECT of the columns, in the order of `columns`, as text. */
  readonly sql: string;
  /** Rows in it; undefined where only DuckDB can count them. */
  readonly good: number | undefined;
}

export interface OpenInputs {
  readonly inputs: readonly OpenInput[];
  /** As `LineNumbers` writes them. */
  readonly linesPath: string;
  /** Some are files from outside, whose types must be proved; some are Parquet. */
  readonly foreign: boolean;
  readonly parquet: boolean;
}

const smallestLine = 1 << 21;

/** The dialect of the one CSV. */
export function ownDialect(columns: readonly Column[]): CsvDialect {
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

/** A file's rows with the stream's columns: those of the same name, or in other case, NULL where the file has none. */
function selectColumns(columns: readonly Column[], names: readonly string[], from: string): string {
  const list = columns.map((column, index) => {
    const exact = names.indexOf(column.name);
    const at = exact < 0 ? names.findIndex((name) => name.toLowerCase() === column.name.toLowerCase()) : exact;
    return `${at < 0 ? 'CAST(NULL AS VARCHAR)' : `f${at}`} AS ${fieldId(index)}`;
  });
  return `SELECT ${list.join(', ')} FROM ${from}`;
}

/** Name of the `index`th column as it was read. */
function fieldId(index: number): string {
  return identifier(`m~r${index}`);
}

/** Reads files by the dialect alone; nothing is guessed. */
function readFiles(paths: readonly string[], file: CheckedCsv, dialect: CsvDialect, parallel: boolean): string {
  const names = dialect.columns.map((_, index) => `f${index}: 'VARCHAR'`).join(', ');
  const longest = Math.max(smallestLine, file.longest + 1024);
  const options = [
    `[${paths.map(literal).join(', ')}]`,
    'auto_detect = false',
    `header = ${dialect.header && parallel}`,
    `delim = ${literal(dialect.delimiter)}`,
    `quote = ${literal(dialect.quote)}`,
    `escape = ${literal(dialect.quote === '' ? '' : dialect.escape || dialect.quote)}`,
    `new_line = ${file.newline === '\r\n' ? `'\\r\\n'` : `'\\n'`}`,
    `nullstr = ''`,
    'allow_quoted_nulls = false',
    `columns = {${names}}`,
    `max_line_size = ${longest}`,
    `buffer_size = ${longest * 4}`,
    `parallel = ${parallel}`,
  ];
  return `read_csv(${options.join(', ')})`;
}

/** All rows of a checked CSV. Only rows of one line are read in parallel: DuckDB may take a line end inside a value for a row's end. */
export function readCsv(file: CheckedCsv, dialect: CsvDialect): string {
  const whole = file.whole === undefined ? [] : [readFiles([file.whole], file, dialect, true)];
  const pieces = file.pieces.length === 0 ? [] : [readFiles(file.pieces, file, dialect, false)];
  return `(${[...whole, ...pieces].map((part) => `FROM ${part}`).join(' UNION ALL ')})`;
}

/** A file of our own has no broken rows unless its bytes are damaged. */
function damaged(input: TransformInput): CheckOptions['broken'] {
  return (line, problem) => {
    throw new MillraceError(
      'staging-lost',
      `the staged file of ${input.label} is damaged at line ${line}: ${problem}; the load is done again`,
    );
  };
}

class Opening {
  readonly #options: OpenOptions;
  readonly #lines: LineNumbers;

  constructor(options: OpenOptions, lines: LineNumbers) {
    this.#options = options;
    this.#lines = lines;
  }

  async open(input: TransformInput, no: number): Promise<OpenInput> {
    const { format } = input;
    this.#lines.add(no, input, 0, 0);
    if (format.kind === 'csv') return await this.#own(input, no);
    if (format.kind === 'pgcopy') throw new Error('binary COPY is never an input of transform');
    const { dialect } = format;
    if (dialect.type === 'csv') return this.#opened(await checkCsv({ ...this.#checking(input, no, 'csv'), dialect }), dialect);
    if (dialect.type === 'parquet') return this.#parquet(input, dialect.columns);
    const { type, columns } = dialect;
    return this.#opened(await convertJson({ ...this.#checking(input, no, 'json'), type, columns }), ownDialect(columns));
  }

  async #own(input: TransformInput, no: number): Promise<OpenInput> {
    const dialect = ownDialect(this.#options.columns);
    const checking = { ...this.#checking(input, no, 'csv'), shift: () => undefined, broken: damaged(input) };
    return this.#opened(await checkCsv({ ...checking, dialect }), dialect);
  }

  #opened(file: CheckedCsv, dialect: CsvDialect): OpenInput {
    const paths = [...(file.whole === undefined ? [] : [file.whole]), ...file.pieces];
    return { paths, sql: selectColumns(this.#options.columns, dialect.columns, readCsv(file, dialect)), good: file.good };
  }

  #parquet(input: TransformInput, columns: readonly Column[]): OpenInput {
    const names = columns.map((column) => column.name);
    return { paths: [input.path], sql: selectColumns(this.#options.columns, names, readParquet(input.path, columns)), good: undefined };
  }

  /** What every check of a text file is given. */
  #checking(input: TransformInput, no: number, rule: string): Omit<CheckOptions, 'dialect'> {
    const { broken, folder, signal } = this.#options;
    return {
      path: input.path,
      copyPath: join(folder, `input-${no}.csv`),
      signal,
      beat: () => this.#options.beat(),
      broken: (line, problem, row) => broken.add(input, line, problem, row, rule),
      shift: (row, offset) => this.#lines.add(no, input, row, offset),
      flush: async () => {
        await broken.flush();
        await this.#lines.flush();
      },
    };
  }
}

/** Makes the inputs ready: broken rows are set aside, encodings and line ends made plain, rows counted. */
export async function openInputs(inputs: readonly TransformInput[], options: OpenOptions): Promise<OpenInputs> {
  const lines = new LineNumbers(join(options.folder, 'lines.csv'));
  await lines.create();
  const opening = new Opening(options, lines);
  const opened: OpenInput[] = [];
  for (const [no, input] of inputs.entries()) opened.push(await opening.open(input, no));
  await options.broken.flush(true);
  await lines.flush(true);
  return {
    inputs: opened,
    linesPath: lines.path,
    foreign: inputs.some((input) => input.format.kind === 'foreign'),
    parquet: opened.some((input) => input.good === undefined),
  };
}

/** All rows of the inputs with file, line and label beside the columns as they were read. */
export function sourceOf(
  opened: OpenInputs,
  inputs: readonly TransformInput[],
  columns: readonly Column[],
): { sql: string; fields: readonly Field[] } {
  if (opened.inputs.length === 0) return emptySource(columns);
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
