import type { CsvForm } from './sniff.ts';

/** Stands for a quote that may have ended its value: another one right behind it goes on. */
const justClosed = 256;

/** What a scan over all bytes of a CSV text found. */
export interface RecordScan {
  /** Takes the next bytes, UTF-8. */
  take(chunk: Uint8Array): void;
  /** Records so far and the bytes of the longest, the last unfinished one included; `ended` counts lines that ended, blank ones too. */
  result(): { readonly records: number; readonly longest: number; readonly ended: number };
}

/** Counts the records of a CSV text and finds the longest, newlines in quotes included, without making a value of anything. */
export function scanRecords(form: Omit<CsvForm, 'header'>): RecordScan {
  const newline = newlineOf(form);
  let records = 0;
  let ended = 0;
  let longest = 0;
  let length = 0;
  const endRecord = (more: number) => {
    length += more;
    ended += 1;
    if (length > form.newline.length) records += 1;
    if (length > longest) longest = length;
    length = 0;
  };
  const newlines = findNewlines(form, newline);
  return {
    take: (chunk) => {
      let from = 0;
      newlines(chunk, (at) => {
        endRecord(at + 1 - from);
        from = at + 1;
      });
      length += chunk.byteLength - from;
    },
    result: () => ({ records: records + (length > 0 ? 1 : 0), longest: Math.max(longest, length), ended }),
  };
}

/** Finds the newlines outside of quotes, chunk by chunk. */
function findNewlines(form: Omit<CsvForm, 'header'>, newline: number): (chunk: Uint8Array, found: (at: number) => void) => void {
  const quote = form.quote === '' ? -1 : form.quote.charCodeAt(0);
  const escape = form.escape === form.quote || form.escape === '' ? -1 : form.escape.charCodeAt(0);
  /** What stands before a quote that opens a value. */
  const opening = new Uint8Array(justClosed + 1);
  for (const before of [Buffer.from(form.delimiter).at(-1) ?? 0, newline, justClosed]) opening[before] = 1;
  let state = { quoted: false, escaped: false, before: newline };

  const plain = (bytes: Buffer, found: (at: number) => void) => {
    for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) found(at);
    state = { ...state, before: bytes.at(-1) ?? state.before };
  };
  /** Its state is in locals: it sees every byte of a large file. */
  const byByte = (bytes: Buffer, found: (at: number) => void) => {
    let { quoted, escaped, before } = state;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (!quoted) {
        if (byte === newline) found(at);
        else if (byte === quote) quoted = opening[before] === 1;
        before = byte;
      } else if (escaped) escaped = false;
      else if (byte === escape) escaped = true;
      else if (byte === quote) {
        quoted = false;
        before = justClosed;
      }
    }
    state = { quoted, escaped, before };
  };
  return (chunk, found) => {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (!state.quoted && (quote === -1 || !bytes.includes(quote))) plain(bytes, found);
    else byByte(bytes, found);
  };
}

/** The bytes of a CSV text behind its first record. */
export async function* afterHeader(text: AsyncIterable<Uint8Array>, form: Omit<CsvForm, 'header'>): AsyncGenerator<Uint8Array> {
  const findIn = findNewlines(form, newlineOf(form));
  let begun = false;
  for await (const chunk of text) {
    const ends: number[] = [];
    if (!begun) findIn(chunk, (at) => ends.push(at));
    const [end] = ends;
    if (begun) yield chunk;
    else if (end !== undefined) {
      begun = true;
      yield chunk.subarray(end + 1);
    }
  }
}

function newlineOf(form: Omit<CsvForm, 'header'>): number {
  return form.newline === '\r' ? 0x0d : 0x0a;
}
