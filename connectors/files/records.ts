import type { CsvForm } from './sniff.ts';

/** Stands for a quote that may have ended its value: another one right behind it goes on. */
const justClosed = 256;

/** Counts the records of a CSV text, blank lines left out. */
export function countRecords(form: Omit<CsvForm, 'header'>, text: Uint8Array): number {
  let records = 0;
  let begin = 0;
  findNewlines(form, newlineOf(form))(text, (at) => {
    if (at + 1 - begin > form.newline.length) records += 1;
    begin = at + 1;
  });
  return begin < text.byteLength ? records + 1 : records;
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
