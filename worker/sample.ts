import type { ReadPages } from '../connectors/connector.ts';
import type { StagedFormat } from '../schema/load.ts';

const doubleQuote = 0x22;
const lineFeed = 0x0a;

/** How records end in a format: the quote within which a line feed is none of an end; undefined where only the whole file can be read. */
function quoteOf(format: StagedFormat): number | undefined {
  if (format.kind === 'csv') return doubleQuote;
  if (format.kind !== 'foreign') return undefined;
  const { dialect } = format;
  if (dialect.type === 'ndjson') return -1;
  if (dialect.type !== 'csv' || dialect.encoding === 'utf-16') return undefined;
  return dialect.quote === '' ? -1 : dialect.quote.charCodeAt(0);
}

/** The length up to the last complete record. */
function completeLength(bytes: Uint8Array, quote: number): number {
  let quoted = false;
  let length = 0;
  for (const [at, byte] of bytes.entries()) {
    if (byte === quote) quoted = !quoted;
    else if (byte === lineFeed && !quoted) length = at + 1;
  }
  return length;
}

export interface Sample {
  readonly bytes: Uint8Array;
  /** False when more rows follow in the partition. */
  readonly complete: boolean;
}

/** The first complete records of a partition, of about so many bytes; formats that can't be cut are read to their end. */
export async function sampleOf({ pages, format }: ReadPages, limit: number): Promise<Sample> {
  const quote = quoteOf(format);
  const chunks: Uint8Array[] = [];
  let size = 0;
  let complete = true;
  for await (const { bytes } of pages) {
    if (quote !== undefined && size >= limit) {
      complete = false;
      break;
    }
    chunks.push(bytes);
    size += bytes.length;
  }
  const all = Buffer.concat(chunks);
  if (complete || quote === undefined) return { bytes: all, complete };
  return { bytes: all.subarray(0, completeLength(all, quote)), complete };
}
