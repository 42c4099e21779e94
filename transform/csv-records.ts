/** What a reader must know of a dialect, in bytes. */
export interface RecordDialect {
  readonly delimiter: Uint8Array;
  /** -1: values are never quoted. */
  readonly quote: number;
  readonly escape: number;
  readonly columns: number;
  /** True: a lone carriage return ends a record. */
  readonly carriageReturn: boolean;
}

const lf = 10;
const cr = 13;
const space = 32;
/** How a value ended. */
const endings = { delimiter: 0, line: 1, more: 2, broken: 3 } as const;

/**
 * Reads one record of a CSV at a time, strictly: it decides where a record ends, how many values it has, and what is wrong with it.
 * The fields are the answer of the last `read`.
 */
export class RecordReader {
  /** Where the next record begins. */
  next = 0;
  /** Where the record's bytes end, before its line end. */
  end = 0;
  /** Lines that the record takes. */
  lines = 1;
  /** Bytes of its line end: 0 at the end of the file. */
  terminator = 0;
  /** A sentence on what is wrong; undefined when nothing is. */
  problem: string | undefined;
  readonly #dialect: RecordDialect;
  #bytes: Uint8Array = new Uint8Array();
  #limit = 0;
  #final = false;
  #position = 0;

  constructor(dialect: RecordDialect) {
    this.#dialect = dialect;
  }

  /** Reads the record at `start`; false when the bytes up to `limit` don't hold it completely and more may come. */
  read(bytes: Uint8Array, start: number, limit: number, final: boolean): boolean {
    this.#bytes = bytes;
    this.#limit = limit;
    this.#final = final;
    this.#position = start;
    this.lines = 1;
    this.problem = undefined;
    let values = 1;
    let ended: number = this.#value();
    while (ended === endings.delimiter) {
      values++;
      ended = this.#value();
    }
    if (ended === endings.more) return false;
    const { columns } = this.#dialect;
    if (ended === endings.line && values !== columns) this.problem ??= `the row has ${values} values where ${columns} are expected`;
    if (this.problem !== undefined && (this.lines > 1 || ended === endings.broken)) return this.#firstLine(start);
    return true;
  }

  /** Gives up on a broken record: only its first line is taken, so that the next ones are read as rows again. */
  #firstLine(start: number): boolean {
    let end = start;
    while (end < this.#limit && !this.#endsLine(end)) end++;
    if (end === this.#limit && !this.#final) return false;
    this.lines = 1;
    this.#finish(end);
    return true;
  }

  #endsLine(at: number): boolean {
    return this.#bytes[at] === lf || (this.#bytes[at] === cr && this.#dialect.carriageReturn);
  }

  /** The record ends at `at`, where a line end or the end of the file is. */
  #finish(at: number): void {
    const bytes = this.#bytes;
    this.end = at;
    this.next = at;
    if (at < this.#limit) this.next = bytes[at] === cr && bytes[at + 1] === lf && at + 1 < this.#limit ? at + 2 : at + 1;
    this.terminator = this.next - this.end;
  }

  #value(): number {
    const { quote } = this.#dialect;
    if (quote < 0) return this.#unquoted();
    const bytes = this.#bytes;
    let at = this.#position;
    while (at < this.#limit && bytes[at] === space && !this.#isDelimiter(at)) at++;
    if (at < this.#limit && bytes[at] === quote) return this.#quoted(at + 1);
    return this.#unquoted();
  }

  #isDelimiter(at: number): boolean {
    const { delimiter } = this.#dialect;
    for (let index = 0; index < delimiter.length; index++) if (this.#bytes[at + index] !== delimiter[index]) return false;
    return true;
  }

  #unquoted(): number {
    const bytes = this.#bytes;
    const first = this.#dialect.delimiter[0];
    const limit = this.#limit;
    let at = this.#position;
    for (; at < limit; at++) {
      const byte = bytes[at];
      if (byte === first || byte === lf || byte === cr || byte === 0) {
        const ended = this.#special(at, byte);
        if (ended >= 0) return ended;
      }
    }
    return this.#atLimit(at);
  }

  #atLimit(at: number): number {
    if (!this.#final) return endings.more;
    this.#finish(at);
    return endings.line;
  }

  /** A byte that may end a value; -1 when it doesn't. */
  #special(at: number, byte: number | undefined): number {
    if (byte === 0) {
      this.problem ??= 'the row holds a NUL byte';
      return -1;
    }
    if (byte === lf) {
      this.#finish(at);
      return endings.line;
    }
    if (byte === cr && this.#dialect.delimiter[0] !== cr) return this.#carriageReturn(at);
    if (!this.#isDelimiter(at)) return -1;
    this.#position = at + this.#dialect.delimiter.length;
    return endings.delimiter;
  }

  #carriageReturn(at: number): number {
    if (at + 1 >= this.#limit) return this.#atLimit(at);
    if (this.#dialect.carriageReturn || this.#bytes[at + 1] === lf) {
      this.#finish(at);
      return endings.line;
    }
    this.problem ??= 'the row holds a carriage return outside quotes';
    return -1;
  }

  #quoted(from: number): number {
    const { quote, escape } = this.#dialect;
    const bytes = this.#bytes;
    const limit = this.#limit;
    for (let at = from; at < limit; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === quote) {
        if (escape !== quote || bytes[at + 1] !== quote || at + 1 >= limit) return this.#closing(at + 1);
        at++;
      } else if (byte === escape) at++;
      else if (byte <= cr) this.#control(byte);
    }
    if (!this.#final) return endings.more;
    this.problem = 'a quoted value is not closed';
    return endings.broken;
  }

  /** A control character inside quotes. */
  #control(byte: number): void {
    if (byte === lf || (byte === cr && this.#dialect.carriageReturn)) this.lines++;
    else if (byte === 0) this.problem ??= 'the row holds a NUL byte';
  }

  /** A quote just before the limit may be the first of two. */
  #closing(at: number): number {
    return at >= this.#limit && !this.#final ? endings.more : this.#closed(at);
  }

  /** After a closing quote only spaces may stand before the delimiter or the line's end. */
  #closed(from: number): number {
    const bytes = this.#bytes;
    let at = from;
    while (at < this.#limit && bytes[at] === space && !this.#isDelimiter(at)) at++;
    if (at >= this.#limit) return this.#atLimit(at);
    const byte = bytes[at];
    if (byte === lf || byte === cr || byte === this.#dialect.delimiter[0]) {
      const ended = this.#special(at, byte);
      if (ended >= 0) return ended;
    }
    this.problem = 'text stands after a closing quote';
    return endings.broken;
  }
}
