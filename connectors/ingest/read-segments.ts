import { open } from 'node:fs/promises';
import type { Attempt, Page } from '../connector.ts';
import type { Column } from '../../schema/column.ts';
import { MillraceError } from '../../schema/errors.ts';
import { eventIdColumn } from './event-columns.ts';
import { parseEventLine } from './event-line.ts';
import { type AcceptedEvent, eventValues } from './event-values.ts';
import { SegmentBroken, type SegmentKeys, SegmentSeal } from './sealed-segment.ts';
import { sealedPath } from './segments.ts';

const pageCharacters = 1 << 18;
/** The most that a sealed segment's header can have. */
const longestHeader = 512;

/** A row of the one CSV. */
const csvLine = (values: readonly (string | null)[]): string =>
  `${values.map((value) => (value === null ? '' : `"${value.replaceAll('"', '""')}"`)).join(',')}\n`;

const damaged = (path: string): MillraceError =>
  new MillraceError('config', `${path} is damaged: it was changed after it was written; bring it back from a copy, or remove it`);

/** What a segment holds, decrypted where it is sealed. */
async function* bytesOf(path: string, keys: SegmentKeys | undefined): AsyncGenerator<Buffer> {
  await using handle = await open(path, 'r');
  const head = Buffer.alloc(longestHeader);
  const { bytesRead } = await handle.read(head, 0, longestHeader, 0);
  const seal = SegmentSeal.read(head.subarray(0, bytesRead), keys);
  if (seal === undefined) return yield* handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 18 });
  const { size } = await handle.stat();
  const { buffer } = await handle.read(Buffer.alloc(size), 0, size, 0);
  for (const { bytes, isLast } of seal.frames(buffer)) {
    if (isLast) return;
    yield bytes;
  }
  throw damaged(path);
}

/** The lines of a file; what has no end is none. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes: Buffer = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      yield bytes.toString('utf8', start, end);
      start = end + 1;
    }
    pending = bytes.subarray(start);
  }
}

function explain(error: unknown, path: string): unknown {
  if (error instanceof SegmentBroken) return new MillraceError('config', `The events in ${path} can't be read: it ${error.message}.`);
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
    return new MillraceError('conflict', `${path} is gone since the load was planned; it is planned again`, { cause: error });
  return error;
}

async function* eventsOf({ folder, keys }: Segments, no: number): AsyncGenerator<AcceptedEvent> {
  const path = sealedPath(folder, no);
  try {
    for await (const line of linesOf(bytesOf(path, keys))) {
      const event = parseEventLine(line);
      if (event === undefined) throw damaged(path);
      yield event;
    }
  } catch (error) {
    throw explain(error, path);
  }
}

/** Where segments are, and the keys for those that are sealed. */
interface Segments {
  readonly folder: string;
  readonly keys: SegmentKeys | undefined;
}

/** Reads segments from one number to another as the one CSV. */
export async function* readSegments(
  segments: Segments,
  { from, to }: { readonly from: number; readonly to: number },
  { columns, key }: { readonly columns: readonly Column[]; readonly key: string },
  attempt: Attempt,
): AsyncGenerator<Page> {
  const keyAt = columns.findIndex(({ name }) => name === key);
  let rows = 0;
  let text = '';
  for (let no = from; no <= to; no += 1) {
    for await (const event of eventsOf(segments, no)) {
      const values = eventValues(event, columns);
      if (values[keyAt] === null)
        throw new MillraceError(
          'config',
          `event ${JSON.stringify(event.id)} was accepted when ${key} was of another type: bring the schema of that time back until it is loaded`,
        );
      text += csvLine(values);
      rows += 1;
      if (text.length < pageCharacters) continue;
      attempt.signal.throwIfAborted();
      attempt.beat();
      yield { bytes: Buffer.from(text), rows };
      text = '';
    }
  }
  yield { bytes: Buffer.from(text), rows };
}

/** The column that identifies an event. */
export const keyColumnOf = (key: string | undefined): string => key ?? eventIdColumn;
