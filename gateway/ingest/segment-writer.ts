import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type SegmentKeys, SegmentSeal } from '../../connectors/ingest/sealed-segment.ts';
import { openSegments, sealSegment, syncFolder } from '../../connectors/ingest/segments.ts';
import { ownPrefix } from './owner.ts';

export interface SegmentWriterOptions {
  /** Milliseconds after which what was written is given to loaders. */
  readonly sealEvery: number;
  /** The same by size. */
  readonly sealBytes: number;
  /** Encrypts what is written. */
  readonly keys?: SegmentKeys | undefined;
  readonly onSealed: (no: number, bytes: number) => void;
  readonly onFault: (error: unknown) => void;
}

export const segmentDefaults = { sealEvery: 250, sealBytes: 8 * 1024 * 1024 } as const;

interface Segment {
  readonly path: string;
  readonly handle: FileHandle;
  readonly inode: number;
  /** Where it is encrypted. */
  readonly seal: SegmentSeal | undefined;
  /** Bytes that are durable. */
  size: number;
  /** Writes that are durable. */
  writes: number;
}

interface Waiting {
  readonly bytes: Buffer;
  resolve(): void;
  reject(error: unknown): void;
}

/** Another process took the segment, believing that this one had ended; what it holds is not lost, but what came just now may not be in it. */
const gone = (): Error => new Error('the open segment was taken over by another process');

/**
 * Appends lines to the open segment of this process. All that wait are written and made durable together; the segment is sealed after
 * a while and gets the next number.
 */
export class SegmentWriter {
  readonly #folder: string;
  readonly #options: SegmentWriterOptions;
  #segment: Segment | undefined;
  #waiting: Waiting[] = [];
  #work: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: string, options: SegmentWriterOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** Bytes that aren't sealed. */
  get openBytes(): number {
    return this.#segment?.size ?? 0;
  }

  /** Path of the segment at work. */
  get path(): string | undefined {
    return this.#segment?.path;
  }

  /** Resolves once the lines are on disk; rejects when they may not be, and then they aren't. */
  append(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes, resolve, reject });
      if (this.#waiting.length === 1) this.#then(() => this.#flush());
    });
  }

  /** Seals what is there. */
  async close(): Promise<void> {
    this.#then(() => this.#seal());
    await this.#work;
  }

  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => this.#options.onFault(error));
  }

  async #flush(): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    try {
      await this.#write(Buffer.concat(batch.map(({ bytes }) => bytes)));
    } catch (error) {
      for (const one of batch) one.reject(error);
      throw error;
    }
    for (const one of batch) one.resolve();
    if (this.openBytes >= this.#options.sealBytes) await this.#seal();
    else this.#timer ??= setTimeout(() => this.#then(() => this.#seal()), this.#options.sealEvery);
  }

  async #write(bytes: Buffer): Promise<void> {
    const segment = (this.#segment ??= await this.#open());
    const stored = storedBytes(segment, bytes);
    try {
      await segment.handle.appendFile(stored);
      await segment.handle.datasync();
    } catch (error) {
      await this.#retreat(segment);
      throw error;
    }
    // Whoever takes a segment over renames it before he reads it: under its name still, he will read what is durable by now.
    if ((await inodeOf(segment.path)) !== segment.inode) {
      await this.#leave(segment);
      throw gone();
    }
    segment.size += stored.byteLength;
    segment.writes += 1;
  }

  async #open(): Promise<Segment> {
    const folder = openSegments(this.#folder);
    const path = join(folder, `${await ownPrefix()}${randomUUID()}.ndjson`);
    const handle = await open(path, 'ax', 0o600);
    try {
      await syncFolder(folder);
      const { ino } = await handle.stat();
      const { keys } = this.#options;
      return { path, handle, inode: ino, seal: keys === undefined ? undefined : SegmentSeal.make(keys), size: 0, writes: 0 };
    } catch (error) {
      await handle.close();
      await rm(path, { force: true });
      throw error;
    }
  }

  /** Takes back what wasn't made durable. Where even that fails, the segment is left to be recovered. */
  async #retreat(segment: Segment): Promise<void> {
    try {
      await segment.handle.truncate(segment.size);
      await segment.handle.datasync();
    } catch {
      await this.#leave(segment);
    }
  }

  async #leave(segment: Segment): Promise<void> {
    this.#segment = undefined;
    await segment.handle.close().catch(() => undefined);
  }

  async #seal(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const segment = this.#segment;
    if (segment === undefined) return;
    try {
      await finish(segment);
    } finally {
      await this.#leave(segment);
    }
    if (segment.size === 0) return await rm(segment.path, { force: true });
    this.#options.onSealed(await sealSegment(this.#folder, segment.path), segment.size);
  }
}

/** Bytes as they go to disk. */
function storedBytes({ seal, size, writes }: Segment, bytes: Buffer): Buffer {
  if (seal === undefined) return bytes;
  const frame = seal.frame(writes, bytes);
  return size === 0 ? Buffer.concat([seal.header, frame]) : frame;
}

/** Without its end, a segment that is encrypted isn't whole. */
async function finish({ handle, seal, size, writes }: Segment): Promise<void> {
  if (seal === undefined || size === 0) return;
  await handle.appendFile(seal.end(writes));
  await handle.datasync();
}

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch {
    return undefined;
  }
}
