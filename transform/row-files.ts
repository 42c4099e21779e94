import { closeSync, openSync, readSync, writeSync } from 'node:fs';

const chunkBytes = 1 << 20;
const pieceBytes = 1 << 24;

/**
 * Copies of rows. `whole` holds rows of one line each, which can be read from anywhere; once `divide` was called, rows go to
 * `pieces`, small files that are each read from their start, because a line end inside a value could be taken for a row's.
 */
export class RowFiles {
  whole: string | undefined;
  readonly pieces: string[] = [];
  readonly #path: string;
  #file: number | undefined;
  #parts: Uint8Array[] = [];
  /** What follows the parts. */
  #bytes: Uint8Array = new Uint8Array();
  #start = 0;
  #end = 0;
  #waiting = 0;
  #written = 0;

  constructor(path: string) {
    this.#path = path;
  }

  get started(): boolean {
    return this.#file !== undefined;
  }

  /** Begins `whole` with the first bytes of another file. */
  start(from: string | undefined, bytes: number): void {
    if (this.#file !== undefined) return;
    this.whole = this.#path;
    this.#open(this.whole);
    if (from !== undefined) this.#copy(from, bytes);
  }

  /** From now on rows may hold line ends. */
  divide(): void {
    if (this.pieces.length > 0) return;
    this.#nextPiece();
  }

  /** Adds bytes of a row, which must stay as they are until the files are closed. */
  write(bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (bytes !== this.#bytes || start !== this.#end) {
      this.#keep();
      this.#bytes = bytes;
      this.#start = start;
    }
    this.#end = end;
    this.#waiting += end - start;
    this.#written += end - start;
    if (this.#waiting > chunkBytes) this.#flush();
  }

  /** A row is complete: the next one may begin another piece. */
  endRow(): void {
    if (this.pieces.length > 0 && this.#written > pieceBytes) this.#nextPiece();
  }

  close(): void {
    this.#flush();
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #open(path: string): void {
    this.close();
    this.#file = openSync(path, 'w');
    this.#written = 0;
  }

  #nextPiece(): void {
    const path = `${this.#path}-${this.pieces.length}`;
    this.#open(path);
    this.pieces.push(path);
  }

  /** Rows that follow each other in memory are written as one. */
  #keep(): void {
    if (this.#end > this.#start) this.#parts.push(this.#bytes.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #flush(): void {
    this.#keep();
    const [first] = this.#parts;
    if (first !== undefined) this.#append(this.#parts.length === 1 ? first : Buffer.concat(this.#parts));
    this.#parts = [];
    this.#waiting = 0;
  }

  #append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && this.#file !== undefined;) at += writeSync(this.#file, bytes, at);
  }

  #copy(from: string, bytes: number): void {
    const source = openSync(from, 'r');
    const buffer = Buffer.allocUnsafe(chunkBytes);
    for (let left = bytes; left > 0 && this.#file !== undefined;) {
      const read = readSync(source, buffer, 0, Math.min(left, chunkBytes), bytes - left);
      this.#append(buffer.subarray(0, read));
      left -= read;
    }
    closeSync(source);
  }
}
