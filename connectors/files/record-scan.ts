import type { CsvForm } from './sniff.ts';

/** Stands for a quote that may have ended its value: another one right behind it goes on. */
const justClosed = -2;

/** What a scan over all bytes of a CSV text found. */
export interface RecordScan {
  /** Takes the next bytes, UTF-8. */
  take(chunk: Uint8Array): void;
  /** Records so far and the bytes of the longest, the last unfinished one included; `ended` counts lines that ended, blank ones too. */
  result(): { readonly records: number; readonly longest: number; readonly ended: number };
}

/** Counts the records of a CSV text and finds the longest, newlines in quotes included, without making a value of anything. */
export function scanRecords(form: Omit<CsvForm, 'header'>): RecordScan {
  const quote = form.quote === '' ? -1 : form.quote.charCodeAt(0);
  const escape = form.escape === form.quote || form.escape === '' ? -1 : form.escape.charCodeAt(0);
  const delimiter = Buffer.from(form.delimiter).at(-1) ?? 0;
  const newline = form.newline === '\r' ? 0x0d : 0x0a;
  let records = 0;
  let ended = 0;
  let longest = 0;
  let length = 0;
  let quoted = false;
  let escaped = false;
  let before = newline;

  const endRecord = () => {
    ended += 1;
    if (length > form.newline.length) records += 1;
    if (length > longest) longest = length;
    length = 0;
  };
  const takePlain = (chunk: Buffer) => {
    let from = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      length += end + 1 - from;
      from = end + 1;
      endRecord();
    }
    length += chunk.byteLength - from;
    before = chunk.at(-1) ?? before;
  };
  const takeQuoted = (byte: number) => {
    if (escaped) escaped = false;
    else if (byte === escape) escaped = true;
    else if (byte === quote) quoted = false;
    before = quoted ? byte : justClosed;
  };
  const takeBytes = (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      length += 1;
      if (quoted) {
        takeQuoted(byte);
        continue;
      }
      if (byte === newline) endRecord();
      else if (byte === quote) quoted = before === delimiter || before === newline || before === justClosed;
      before = byte;
    }
  };
  return {
    take: (chunk) => {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      if (quote === -1 || (!quoted && !bytes.includes(quote))) takePlain(bytes);
      else takeBytes(bytes);
    },
    result: () => ({ records: records + (length > 0 ? 1 : 0), longest: Math.max(longest, length), ended }),
  };
}

/** The bytes of a CSV text behind its first record. */
export async function* afterHeader(text: AsyncIterable<Uint8Array>, form: Omit<CsvForm, 'header'>): AsyncGenerator<Uint8Array> {
  const scan = scanRecords(form);
  let inHeader = true;
  for await (const chunk of text) {
    if (!inHeader) {
      yield chunk;
      continue;
    }
    for (let at = 0; at < chunk.byteLength && inHeader; at++) {
      scan.take(chunk.subarray(at, at + 1));
      if (scan.result().ended === 0) continue;
      inHeader = false;
      yield chunk.subarray(at + 1);
    }
  }
}
