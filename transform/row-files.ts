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

  write(row: Uint8Array, newline: Uint8Array): void {
    if (this.pieces.length > 0 && this.#written > pieceBytes) this.#nextPiece();
    this.#parts.push(Buffer.from(row), newline);
    this.#waiting += row.length + newline.length;
    this.#written += row.length + newline.length;
    if (this.#waiting > chunkBytes) this.#flush();
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

  #flush(): void {
    if (this.#file !== undefined && this.#parts.length > 0) writeSync(this.#file, Buffer.concat(this.#parts));
    this.#parts = [];
    this.#waiting = 0;
  }

  #copy(from: string, bytes: number): void {
    const source = openSync(from, 'r');
    const buffer = Buffer.allocUnsafe(chunkBytes);
    for (let left = bytes; left > 0 && this.#file !== undefined;) {
      const read = readSync(source, buffer, 0, Math.min(left, chunkBytes), bytes - left);
      writeSync(this.#file, buffer, 0, read);
      left -= read;
    }
    closeSync(source);
  }
}
