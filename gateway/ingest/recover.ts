import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEventLine } from '../../connectors/ingest/event-line.ts';
import { beginsSealed, SegmentBroken, type SegmentKeys, SegmentSeal } from '../../connectors/ingest/sealed-segment.ts';
import { openSegments, sealSegment } from '../../connectors/ingest/segments.ts';
import { MillraceError } from '../../schema/errors.ts';
import { isAbandoned, ownPrefix } from './owner.ts';

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

function isEvent(line: string): boolean {
  try {
    const event = parseEventLine(line);
    if (event !== undefined) JSON.parse(event.text);
    return event !== undefined;
  } catch {
    return false;
  }
}

/** What is whole of a segment, and what is to be put behind it; what was answered for is always in it, for it was durable. */
interface Whole {
  readonly length: number;
  readonly end?: Buffer;
}

function wholeOf(bytes: Buffer, keys: SegmentKeys | undefined): Whole {
  if (!beginsSealed(bytes)) return { length: wholeLines(bytes) };
  const seal = SegmentSeal.read(bytes, keys);
  let length = 0;
  let writes = 0;
  for (const frame of seal?.frames(bytes) ?? []) {
    length = frame.end;
    if (frame.isLast) return { length };
    writes += 1;
  }
  return seal === undefined || writes === 0 ? { length: 0 } : { length, end: seal.end(writes) };
}

function wholeLines(bytes: Buffer): number {
  let start = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    if (!isEvent(bytes.toString('utf8', start, end))) return start;
    start = end + 1;
  }
  return start;
}

/** Cuts off a torn write; gives the bytes that are left. */
async function mend(path: string, keys: SegmentKeys | undefined): Promise<number> {
  await using handle = await open(path, 'r+');
  const { nlink } = await handle.stat();
  // It was given its number before its writer ended.
  if (nlink > 1) return 0;
  const bytes = await handle.readFile();
  const { length, end } = wholeOf(bytes, keys);
  if (length < bytes.byteLength) await handle.truncate(length);
  if (end !== undefined) await handle.write(end, 0, end.byteLength, length);
  await handle.datasync();
  return length;
}

/** Takes a segment over and seals what is whole in it. It is renamed first, so that a writer that lives after all notices. */
async function recoverOne(folder: string, name: string, keys: SegmentKeys | undefined): Promise<number> {
  const path = join(openSegments(folder), `${await ownPrefix()}${randomUUID()}.ndjson`);
  await rename(join(openSegments(folder), name), path);
  const bytes = await mend(path, keys);
  if (bytes > 0) await sealSegment(folder, path);
  else await rm(path, { force: true });
  return bytes;
}

/** Names of segments that nobody writes to any more: their process has ended, or has left them (`inUse` is what this one works at). */
async function abandoned(folder: string, inUse: () => readonly (string | undefined)[]): Promise<readonly string[]> {
  const open = openSegments(folder);
  const own = await ownPrefix();
  const found: string[] = [];
  for (const name of await readdir(open)) {
    const path = join(open, name);
    const modified = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
    if (modified === undefined) continue;
    const left = name.startsWith(own) ? !inUse().includes(path) && Date.now() - modified > 2000 : await isAbandoned(name, modified);
    if (left) found.push(name);
  }
  return found;
}

/**
 * Seals the segments that ended writers left open, without what was torn. May run at any time, in several processes at once. Throws when it
 * has done what it could: `config` for one that lacks its key.
 * @returns segments that were sealed
 */
export async function recoverSegments(folder: string, inUse: () => readonly (string | undefined)[], keys?: SegmentKeys): Promise<number> {
  let recovered = 0;
  let fault: unknown;
  for (const name of await abandoned(folder, inUse)) {
    try {
      if ((await recoverOne(folder, name, keys)) > 0) recovered += 1;
    } catch (error) {
      // Another process was quicker.
      if (isMissing(error)) continue;
      fault = error instanceof SegmentBroken ? new MillraceError('config', `${name} ${error.message}`) : error;
    }
  }
  if (fault !== undefined) throw fault;
  return recovered;
}
