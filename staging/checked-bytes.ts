import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

const chunkBytes = 256 * 1024;

/** What a stream of bytes was, once it has ended. */
export interface Sum {
  readonly bytes: number;
  readonly sha256: string;
}

/** Hands bytes on and sums them; `told` is called at their end. */
export async function* summed(bytes: AsyncIterable<Uint8Array>, told: (sum: Sum) => void): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let total = 0;
  for await (const chunk of bytes) {
    hash.update(chunk);
    total += chunk.byteLength;
    yield chunk;
  }
  told({ bytes: total, sha256: hash.digest('hex') });
}

/**
 * Writes bytes to a file in large strokes, one in flight while the next is collected. Chunks are not copied: whoever yields them leaves
 * them alone afterwards.
 */
export async function writeBytes(file: FileHandle, bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
  let collected: Uint8Array[] = [];
  let collectedBytes = 0;
  let inFlight = Promise.resolve();
  for await (const chunk of bytes) {
    signal?.throwIfAborted();
    if (chunk.byteLength === 0) continue;
    collected.push(chunk);
    collectedBytes += chunk.byteLength;
    if (collectedBytes < chunkBytes) continue;
    await inFlight;
    inFlight = writeAll(file, collected);
    inFlight.catch(() => undefined);
    collected = [];
    collectedBytes = 0;
  }
  signal?.throwIfAborted();
  await inFlight;
  await writeAll(file, collected);
}

/** `writev` may write less than it was given; the rest follows. */
async function writeAll(file: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  let left = chunks;
  while (left.length > 0) {
    const { bytesWritten } = await file.writev([...left]);
    left = dropBytes(left, bytesWritten);
  }
}

function dropBytes(chunks: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  for (const [index, chunk] of chunks.entries()) {
    if (left < chunk.byteLength) return [chunk.subarray(left), ...chunks.slice(index + 1)];
    left -= chunk.byteLength;
  }
  return [];
}

/** The bytes of a file from a position on, in chunks of their own. */
export async function* readBytes(file: FileHandle, from = 0): AsyncGenerator<Uint8Array> {
  for (let position = from; ;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(chunkBytes), 0, chunkBytes, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Hands bytes on and sums them; `verify` is called before the last chunk is handed on, so that what it throws is seen in time. */
export async function* checked(bytes: AsyncIterable<Uint8Array>, verify: (sum: Sum) => void): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined;
  for await (const chunk of summed(bytes, verify)) {
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (held !== undefined) yield held;
}
