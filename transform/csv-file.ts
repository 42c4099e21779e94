import { open, type FileHandle } from 'node:fs/promises';
import { isUtf8 } from 'node:buffer';
import type { FileDialect } from '../schema/load.ts';
import { MillraceError } from '../schema/errors.ts';
import { RecordReader } from './csv-records.ts';
import { RowFiles } from './row-files.ts';

export type CsvDialect = Extract<FileDialect, { readonly type: 'csv' }>;

/** A CSV file from outside after its check: what is left are rows that every reader reads alike. */
export interface CheckedCsv {
  /** The file itself, or a copy without its broken rows, with the header if there is one; its rows are of one line each. */
  readonly whole: string | undefined;
  /** Copies of rows that follow, of which some hold line ends: without header, each to be read from its start. */
  readonly pieces: readonly string[];
  readonly newline: '\n' | '\r\n';
  /** Rows that are good, and rows that were broken. */
  readonly good: number;
  readonly broken: number;
  /** Bytes of the longest good row. */
  readonly longest: number;
}

export interface CheckOptions {
  readonly path: string;
  readonly dialect: CsvDialect;
  /** Where a copy goes if one is needed. */
  readonly copyPath: string;
  readonly signal: AbortSignal;
  beat(): void;
  /** A broken row: its line, what is wrong, and its text. */
  broken(line: number, problem: string, row: string): void;
  /** From the `row`th good row on (1 is the first), the line of row `n` is `n + offset`. */
  shift(row: number, offset: number): void;
  /** Called now and then, to write out what was collected. */
  flush(): Promise<void>;
}

const chunkBytes = 1 << 20;
const longestLine = 1 << 26;
const lineFeed = 10;

/** Decodes as it reads: chunks of UTF-8. */
async function* decoded(file: FileHandle, encoding: CsvDialect['encoding']): AsyncGenerator<Buffer> {
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  for (let first = true; ; first = false) {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    const { bytesRead } = await file.read(buffer, 0, chunkBytes);
    const bytes = buffer.subarray(0, bytesRead);
    if (first && encoding !== 'utf-8') decoder = decoderOf(encoding, bytes);
    if (decoder === undefined) {
      if (bytesRead === 0) return;
      yield bytes;
    } else {
      yield Buffer.from(decoder.decode(bytes, { stream: bytesRead > 0 }), 'utf8');
      if (bytesRead === 0) return;
    }
  }
}

function decoderOf(encoding: 'utf-16' | 'latin-1', start: Buffer): InstanceType<typeof TextDecoder> {
  if (encoding === 'latin-1') return new TextDecoder('windows-1252');
  const bigEndian = (start[0] === 0xfe && start[1] === 0xff) || (start[0] === 0 && start[1] !== 0);
  return new TextDecoder(bigEndian ? 'utf-16be' : 'utf-16le');
}

const bom = Buffer.from([0xef, 0xbb, 0xbf]);

function readerOf(dialect: CsvDialect): RecordReader {
  const quote = dialect.quote === '' ? -1 : dialect.quote.charCodeAt(0);
  return new RecordReader({
    delimiter: Buffer.from(dialect.delimiter, 'utf8'),
    quote,
    escape: dialect.escape === '' ? quote : dialect.escape.charCodeAt(0),
    columns: dialect.columns.length,
    carriageReturn: dialect.newline === '\r',
  });
}

/** True when a text is one row of the dialect, of one line, with a value for each column. */
export function isRecord(text: string, dialect: CsvDialect): boolean {
  const bytes = Buffer.from(text, 'utf8');
  const reader = readerOf(dialect);
  return bytes.length > 0 && reader.read(bytes, 0, bytes.length, true) && reader.problem === undefined && reader.next === bytes.length;
}

class Check {
  readonly #options: CheckOptions;
  readonly #reader: RecordReader;
  readonly #copy: RowFiles;
  readonly #newline: Buffer;
  #good = 0;
  #broken = 0;
  #line = 1;
  #offset: number | undefined;
  #header: boolean;
  #longest = 0;
  /** Bytes of the file before the pending ones. */
  #before = 0;
  #pending: Buffer = Buffer.alloc(0);

  constructor(options: CheckOptions) {
    const { dialect } = options;
    this.#options = options;
    this.#header = dialect.header;
    this.#reader = readerOf(dialect);
    this.#newline = Buffer.from(dialect.newline === '\r\n' ? '\r\n' : '\n');
    this.#copy = new RowFiles(options.copyPath);
    if (dialect.encoding !== 'utf-8' || dialect.newline === '\r') this.#copy.start(undefined, 0);
  }

  async run(): Promise<CheckedCsv> {
    const file = await open(this.#options.path);
    try {
      let start = true;
      for await (const chunk of decoded(file, this.#options.dialect.encoding)) {
        this.#options.signal.throwIfAborted();
        this.#options.beat();
        this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
        if (start) this.#skipMark();
        start = false;
        this.#consume(false);
        await this.#options.flush();
      }
      this.#consume(true);
    } finally {
      await file.close();
      this.#copy.close();
    }
    return {
      whole: this.#copy.whole ?? this.#options.path,
      pieces: this.#copy.pieces,
      newline: this.#options.dialect.newline === '\r\n' ? '\r\n' : '\n',
      good: this.#good,
      broken: this.#broken,
      longest: this.#longest,
    };
  }

  #skipMark(): void {
    if (!this.#pending.subarray(0, 3).equals(bom)) return;
    this.#pending = this.#pending.subarray(3);
    this.#before += 3;
  }

  #consume(final: boolean): void {
    const bytes = this.#pending;
    const valid = isUtf8(final ? bytes : bytes.subarray(0, bytes.lastIndexOf(10) + 1));
    let start = 0;
    while (start < bytes.length && this.#reader.read(bytes, start, bytes.length, final)) {
      this.#take(bytes, start, valid);
      start = this.#reader.next;
    }
    if (bytes.length - start > longestLine) {
      throw new MillraceError(
        'config',
        `the file has a row of more than ${longestLine} bytes near line ${this.#line}: its quotes may be unbalanced`,
      );
    }
    this.#before += start;
    this.#pending = bytes.subarray(start);
  }

  #take(bytes: Buffer, start: number, valid: boolean): void {
    const reader = this.#reader;
    const { end } = reader;
    const line = this.#line;
    this.#line += reader.lines;
    if (this.#header) return this.#takeHeader(bytes, start);
    if (end === start && this.#options.dialect.columns.length > 1) return this.#copyFrom(start);
    const problem = reader.problem ?? (valid || isUtf8(bytes.subarray(start, end)) ? undefined : 'the row is not valid UTF-8');
    if (problem !== undefined) {
      this.#copyFrom(start);
      this.#broken++;
      return this.#options.broken(line, problem, bytes.toString('utf8', start, end));
    }
    this.#takeGood(bytes, start, line);
  }

  #takeHeader(bytes: Buffer, start: number): void {
    this.#header = false;
    if (this.#copy.started) this.#copyRow(bytes, start);
  }

  #takeGood(bytes: Buffer, start: number, line: number): void {
    const { lines, terminator, end } = this.#reader;
    this.#good++;
    if (end - start > this.#longest) this.#longest = end - start;
    if (line - this.#good !== this.#offset) {
      this.#offset = line - this.#good;
      this.#options.shift(this.#good, this.#offset);
    }
    if (terminator !== this.#newline.length && terminator > 0) this.#copyFrom(start);
    if (lines > 1) {
      this.#copyFrom(start);
      this.#copy.divide();
    }
    if (this.#copy.started) this.#copyRow(bytes, start);
  }

  #copyRow(bytes: Buffer, start: number): void {
    const { end, next, terminator } = this.#reader;
    const ended = terminator === this.#newline.length && bytes[next - 1] === lineFeed;
    this.#copy.write(bytes, start, ended ? next : end);
    if (!ended) this.#copy.write(this.#newline);
    this.#copy.endRow();
  }

  /** The file can't be read as it stands from here on. */
  #copyFrom(start: number): void {
    this.#copy.start(this.#options.path, this.#before + start);
  }
}

/** Reads a CSV file once, strictly, and sets its broken rows aside. */
export async function checkCsv(options: CheckOptions): Promise<CheckedCsv> {
  return await new Check(options).run();
}
