import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { isUtf8 } from 'node:buffer';
import type { FileDialect } from '../schema/load.ts';
import { MillraceError } from '../schema/errors.ts';
import { RecordReader } from './csv-records.ts';

export type CsvDialect = Extract<FileDialect, { readonly type: 'csv' }>;

/** A CSV file from outside after its check: what is left are rows that every reader reads alike. */
export interface CheckedCsv {
  /** The file itself, or a copy without its broken rows. */
  readonly path: string;
  readonly newline: '\n' | '\r\n';
  /** Rows that are good, and rows that were broken. */
  readonly good: number;
  readonly broken: number;
  /** True when a value holds a line end. */
  readonly multiline: boolean;
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

/** Copies the good rows once the first row is met that must not be read as it stands. */
class Copy {
  readonly #from: string | undefined;
  readonly #to: string;
  #file: number | undefined;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(from: string | undefined, to: string) {
    this.#from = from;
    this.#to = to;
    if (from === undefined) this.#file = openSync(to, 'w');
  }

  get started(): boolean {
    return this.#file !== undefined;
  }

  /** Begins with the first bytes of the file. */
  start(bytes: number): void {
    if (this.#from === undefined || this.#file !== undefined) return;
    this.#file = openSync(this.#to, 'w');
    const source = openSync(this.#from, 'r');
    const buffer = Buffer.allocUnsafe(chunkBytes);
    for (let left = bytes; left > 0;) {
      const read = readSync(source, buffer, 0, Math.min(left, chunkBytes), bytes - left);
      writeSync(this.#file, buffer, 0, read);
      left -= read;
    }
    closeSync(source);
  }

  write(row: Uint8Array, newline: Uint8Array): void {
    this.#parts.push(Buffer.from(row), newline);
    this.#bytes += row.length + newline.length;
    if (this.#bytes > chunkBytes) this.flush();
  }

  flush(): void {
    if (this.#file === undefined) return;
    if (this.#parts.length > 0) writeSync(this.#file, Buffer.concat(this.#parts));
    this.#parts = [];
    this.#bytes = 0;
  }

  close(): void {
    this.flush();
    if (this.#file !== undefined) closeSync(this.#file);
  }
}

const bom = Buffer.from([0xef, 0xbb, 0xbf]);

class Check {
  readonly #options: CheckOptions;
  readonly #reader: RecordReader;
  readonly #copy: Copy;
  readonly #newline: Buffer;
  #good = 0;
  #broken = 0;
  #line = 1;
  #offset: number | undefined;
  #header: boolean;
  #multiline = false;
  #longest = 0;
  /** Bytes of the file before the pending ones. */
  #before = 0;
  #pending: Buffer = Buffer.alloc(0);

  constructor(options: CheckOptions) {
    const { dialect } = options;
    const quote = dialect.quote === '' ? -1 : dialect.quote.charCodeAt(0);
    this.#options = options;
    this.#header = dialect.header;
    this.#reader = new RecordReader({
      delimiter: Buffer.from(dialect.delimiter, 'utf8'),
      quote,
      escape: dialect.escape === '' ? quote : dialect.escape.charCodeAt(0),
      columns: dialect.columns.length,
      carriageReturn: dialect.newline === '\r',
    });
    this.#newline = Buffer.from(dialect.newline === '\r\n' ? '\r\n' : '\n');
    this.#copy = new Copy(dialect.encoding === 'utf-8' && dialect.newline !== '\r' ? options.path : undefined, options.copyPath);
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
    const copied = this.#copy.started;
    return {
      path: copied ? this.#options.copyPath : this.#options.path,
      newline: this.#options.dialect.newline === '\r\n' ? '\r\n' : '\n',
      good: this.#good,
      broken: this.#broken,
      multiline: this.#multiline,
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
    const row = bytes.subarray(start, reader.end);
    const line = this.#line;
    this.#line += reader.lines;
    if (this.#header) return this.#takeHeader(row);
    if (row.length === 0 && this.#options.dialect.columns.length > 1) return this.#copy.start(this.#before + start);
    const problem = reader.problem ?? (valid || isUtf8(row) ? undefined : 'the row is not valid UTF-8');
    if (problem !== undefined) {
      this.#copy.start(this.#before + start);
      this.#broken++;
      return this.#options.broken(line, problem, row.toString('utf8'));
    }
    this.#takeGood(row, line, start);
  }

  #takeHeader(row: Uint8Array): void {
    this.#header = false;
    if (this.#copy.started) this.#copy.write(row, this.#newline);
  }

  #takeGood(row: Uint8Array, line: number, start: number): void {
    const { lines, terminator } = this.#reader;
    this.#good++;
    if (lines > 1) this.#multiline = true;
    if (row.length > this.#longest) this.#longest = row.length;
    if (line - this.#good !== this.#offset) {
      this.#offset = line - this.#good;
      this.#options.shift(this.#good, this.#offset);
    }
    if (terminator !== this.#newline.length && terminator > 0) this.#copy.start(this.#before + start);
    if (this.#copy.started) this.#copy.write(row, this.#newline);
  }
}

/** Reads a CSV file once, strictly, and sets its broken rows aside. */
export async function checkCsv(options: CheckOptions): Promise<CheckedCsv> {
  return await new Check(options).run();
}
