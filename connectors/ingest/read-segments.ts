import { createReadStream } from 'node:fs';
import type { Attempt, Page } from '../connector.ts';
import type { Column } from '../../schema/column.ts';
import { MillraceError } from '../../schema/errors.ts';
import { eventIdColumn } from './event-columns.ts';
import { parseEventLine } from './event-line.ts';
import { type AcceptedEvent, eventValues } from './event-values.ts';
import { sealedPath } from './segments.ts';

const pageCharacters = 1 << 18;

/** A row of the one CSV. */
const csvLine = (values: readonly (string | null)[]): string =>
  `${values.map((value) => (value === null ? '' : `"${value.replaceAll('"', '""')}"`)).join(',')}\n`;

/** The lines of a file; what has no end is none. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 })) {
    const bytes: Buffer = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      yield bytes.toString('utf8', start, end);
      start = end + 1;
    }
    pending = bytes.subarray(start);
  }
}

async function* eventsOf(folder: string, no: number): AsyncGenerator<AcceptedEvent> {
  const path = sealedPath(folder, no);
  try {
    for await (const line of linesOf(path)) {
      const event = parseEventLine(line);
      if (event === undefined)
        throw new MillraceError(
          'config',
          `${path} is damaged: it was changed after it was written; bring it back from a copy, or remove the line`,
        );
      yield event;
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new MillraceError('conflict', `${path} is gone since the load was planned; it is planned again`, { cause: error });
    throw error;
  }
}

/** Reads segments from one number to another as the one CSV. */
export async function* readSegments(
  folder: string,
  { from, to }: { readonly from: number; readonly to: number },
  { columns, key }: { readonly columns: readonly Column[]; readonly key: string },
  attempt: Attempt,
): AsyncGenerator<Page> {
  const keyAt = columns.findIndex(({ name }) => name === key);
  let rows = 0;
  let text = '';
  for (let no = from; no <= to; no += 1) {
    for await (const event of eventsOf(folder, no)) {
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
