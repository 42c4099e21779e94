import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

const chunkBytes = 256 * 1024;

/** What a stream of bytes was, once it has ended. */
export interface Sum {
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Writes bytes to a file in large strokes, one in flight while the next is collected, and sums them on the way.
 * Chunks are not copied: whoever yields them leaves them alone afterwards.
 */
export async function writeChecked(file: FileHandle, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Sum> {
  const hash = createHash('sha256');
  let total = 0;
  let collected: Uint8Array[] = [];
  let collectedBytes = 0;
  let inFlight = Promise.resolve();
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    if (chunk.byteLength === 0) continue;
    hash.update(chunk);
    total += chunk.byteLength;
    collected.push(chunk);
    collectedBytes += chunk.byteLength;
    if (collectedBytes < chunkBytes) continue;
    await inFlight;
    inFlight = writeAll(file, collected);
    inFlight.catch(() => undefined);
    collected = [];
    collectedBytes = 0;
  }
  signal.throwIfAborted();
  await inFlight;
  await writeAll(file, collected);
  return { bytes: total, sha256: hash.digest('hex') };
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

/** Reads a file in chunks and sums it; `verify` is called before the last chunk is handed on, so that what it throws is seen in time. */
export async function* readChecked(file: FileHandle, verify: (sum: Sum) => void): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let total = 0;
  let held: Uint8Array | undefined;
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(chunkBytes), 0, chunkBytes);
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    total += bytesRead;
    if (held !== undefined) yield held;
    held = chunk;
  }
  verify({ bytes: total, sha256: hash.digest('hex') });
  if (held !== undefined) yield held;
}
