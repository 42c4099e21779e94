import type { FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Attempt } from '../connector.ts';
import { MillraceError } from '../../schema/errors.ts';

const chunkBytes = 256 * 1024;

/** How characters are bytes in a file; `windows-1252` reads ISO 8859-1 too. */
export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

/** How a file of text is packed. */
export interface Packing {
  readonly gzip: boolean;
  readonly encoding: Encoding;
}

/** The bytes of a file from its start to its end as it is now; each chunk asked for is progress. */
export async function* readChunks(file: FileHandle, attempt: Attempt): AsyncGenerator<Uint8Array> {
  let position = 0;
  for (;;) {
    attempt.signal.throwIfAborted();
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(chunkBytes), 0, chunkBytes, position);
    if (bytesRead === 0) return;
    attempt.beat();
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** The bytes unpacked, when they are. */
export function unpack(chunks: AsyncIterable<Uint8Array>, gzip: boolean): AsyncIterable<Uint8Array> {
  return gzip ? gunzip(chunks) : chunks;
}

async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unzipped = createGunzip({ chunkSize: chunkBytes });
  pipeline(chunks, unzipped, () => undefined);
  try {
    yield* unzipped;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('Z_')) {
      throw new MillraceError('config', 'The file is not a complete gzip file. Write it again.', { cause });
    }
    throw cause;
  }
}

/** Text of any encoding as UTF-8 without a byte order mark. Throws `config` for bytes that are not UTF-16. */
export async function* toUtf8(chunks: AsyncIterable<Uint8Array>, encoding: Encoding): AsyncGenerator<Uint8Array> {
  if (encoding === 'utf-8') {
    yield* withoutMark(chunks);
    return;
  }
  const decoder = new TextDecoder(encoding, { fatal: true });
  const encoder = new TextEncoder();
  try {
    for await (const chunk of chunks) yield encoder.encode(decoder.decode(chunk, { stream: true }));
    yield encoder.encode(decoder.decode());
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new MillraceError('config', `The file is not ${encoding}. Set read.encoding of the stream.`, { cause });
  }
}

async function* withoutMark(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let start: Uint8Array | undefined = new Uint8Array();
  for await (const chunk of chunks) {
    if (start === undefined) {
      yield chunk;
      continue;
    }
    start = start.byteLength === 0 ? chunk : Buffer.concat([start, chunk]);
    if (start.byteLength < 3) continue;
    yield hasUtf8Mark(start) ? start.subarray(3) : start;
    start = undefined;
  }
  if (start !== undefined && start.byteLength > 0) yield start;
}

/** True when the bytes begin with the byte order mark of UTF-8. */
export function hasUtf8Mark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}
