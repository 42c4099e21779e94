import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { MillraceError } from '../schema/errors.ts';

/** One JSON value of a file: its text, and the line where it begins. */
export interface JsonText {
  readonly text: string;
  readonly line: number;
  /** A sentence on what is wrong; undefined when the text may be JSON. */
  readonly problem?: string;
}

const longestRow = 1 << 26;

function* splitLines(bytes: Buffer, from: number, final: boolean): Generator<readonly [number, number]> {
  let start = from;
  for (let end = bytes.indexOf(10, start); end >= 0; end = bytes.indexOf(10, start)) {
    yield [start, end];
    start = end + 1;
  }
  if (final && start < bytes.length) yield [start, bytes.length];
}

function textOf(bytes: Buffer, line: number): JsonText {
  const text = bytes.toString('utf8');
  return isUtf8(bytes) ? { text, line } : { text, line, problem: 'the row is not valid UTF-8' };
}

/** The lines of a newline-delimited file; blank ones are skipped. */
export async function* readLines(path: string): AsyncGenerator<JsonText> {
  let pending: Buffer = Buffer.alloc(0);
  let line = 0;
  const rows = function* (bytes: Buffer, final: boolean): Generator<JsonText> {
    let rest = 0;
    for (const [start, end] of splitLines(bytes, 0, final)) {
      rest = end + 1;
      line++;
      const row = textOf(bytes.subarray(start, end), line);
      if (row.text.trim() !== '') yield row;
    }
    pending = bytes.subarray(Math.min(rest, bytes.length));
    if (pending.length > longestRow) throw tooLong(line + 1);
  };
  for await (const chunk of chunksOf(path)) yield* rows(Buffer.concat([pending, chunk]), false);
  yield* rows(pending, true);
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  let first = true;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    const bytes = Buffer.from(chunk);
    const marked = first && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    first = false;
    yield marked ? bytes.subarray(3) : bytes;
  }
}

function tooLong(line: number): MillraceError {
  return new MillraceError(
    'config',
    `the file has a row of more than ${longestRow} bytes at line ${line}: its brackets or quotes may be unbalanced`,
  );
}

const quote = 34;
const backslash = 92;

/** Finds the values of a JSON file byte by byte: the elements of one array, or values one after the other. */
class Elements {
  /** Depth of brackets, without the array around all. */
  #depth = 0;
  #inside = false;
  #escaped = false;
  #array: boolean | undefined;
  #line = 1;
  /** Start of the present element in the buffer, and its line; -1 between elements. */
  start = -1;
  #startLine = 1;

  /** Looks at one byte; true when the element ends before it, or with it (`closing`). */
  *scan(bytes: Buffer, from: number): Generator<{ readonly start: number; readonly end: number; readonly line: number }> {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === 10) this.#line++;
      if (this.#inside) this.#insideString(byte);
      else {
        const end = this.#outside(byte, at);
        if (end < 0) continue;
        yield { start: this.start, end, line: this.#startLine };
        this.start = -1;
      }
    }
  }

  #insideString(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === backslash) this.#escaped = true;
    else if (byte === quote) this.#inside = false;
  }

  /** The end of the element when it ends here, else -1. */
  #outside(byte: number, at: number): number {
    if (byte <= 32) return this.#scalarEnds(at);
    if (this.#array === undefined) {
      this.#array = byte === 91;
      if (this.#array) return -1;
    }
    if (this.#depth === 0 && (byte === 44 || byte === 93)) return this.#scalarEnds(at);
    if (this.start < 0) {
      this.start = at;
      this.#startLine = this.#line;
    }
    return this.#structure(byte, at);
  }

  #structure(byte: number, at: number): number {
    if (byte === quote) this.#inside = true;
    else if (byte === 123 || byte === 91) this.#depth++;
    else if (byte === 125 || byte === 93) {
      this.#depth--;
      if (this.#depth <= 0) return this.#close(at);
    }
    return -1;
  }

  #close(at: number): number {
    this.#depth = 0;
    return at + 1;
  }

  #scalarEnds(at: number): number {
    return this.#depth === 0 && this.start >= 0 ? at : -1;
  }

  get line(): number {
    return this.#startLine;
  }
}

/** The elements of a JSON array, or of values one after the other. */
export async function* readElements(path: string): AsyncGenerator<JsonText> {
  const elements = new Elements();
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of chunksOf(path)) {
    const from = pending.length;
    const bytes = Buffer.concat([pending, chunk]);
    for (const { start, end, line } of elements.scan(bytes, from)) yield textOf(bytes.subarray(start, end), line);
    pending = elements.start < 0 ? Buffer.alloc(0) : bytes.subarray(elements.start);
    elements.start = elements.start < 0 ? -1 : 0;
    if (pending.length > longestRow) throw tooLong(elements.line);
  }
  if (pending.toString('utf8').trim() !== '') yield textOf(pending, elements.line);
}
