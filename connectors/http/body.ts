import type { IncomingMessage } from 'node:http';
import { pipeline, Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { MillraceError } from '../../schema/errors.ts';

/** An answer may be inflated this many times, once it is larger than `ratioFrom`; more is a bomb. */
const maxRatio = 100;
const ratioFrom = 4 * 1024 * 1024;

/** An answer that is larger than is allowed: the same request would get the same. */
export class TooLarge extends Error {}

function inflater(encoding: string): Transform | undefined {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'deflate':
      return createInflate();
    case 'br':
      return createBrotliDecompress();
    default:
      return undefined;
  }
}

async function collect(stream: AsyncIterable<Buffer>, limit: (bytes: number) => number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > limit(bytes)) throw new TooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/** The bytes of an answer, inflated; throws `TooLarge` as soon as there are more than `maxBytes` or far more than came over the wire, and for one that was cut. */
export async function readBody(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const encoding = (response.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return await collect(response, () => maxBytes);
  const inflate = inflater(encoding);
  if (inflate === undefined) throw new MillraceError('unknown', 'the encoding of the answer is not one that was asked for');
  let received = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      done(null, chunk);
    },
  });
  const limit = (bytes: number): number => (bytes > ratioFrom ? Math.min(maxBytes, received * maxRatio) : maxBytes);
  // The reader below meets each failure itself; whichever of the streams ends takes the others with it.
  pipeline(response, counted, inflate, () => undefined);
  return await collect(inflate, limit);
}
