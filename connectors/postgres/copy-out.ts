import { to } from 'pg-copy-streams';
import type { StagedFormat } from '../../schema/load.ts';
import type { Attempt, Page } from '../connector.ts';
import type { Session } from './session.ts';

const options: Readonly<Record<'pgcopy' | 'csv', string>> = {
  pgcopy: 'FORMAT binary',
  csv: "FORMAT csv, NULL '', FORCE_QUOTE *, ENCODING 'UTF8'",
};

const beatEveryMilliseconds = 1_000;

/**
 * The bytes of `COPY (query) TO STDOUT`, untouched. The last page is empty and has the number of rows, once the server has said that
 * the statement succeeded. The query runs inside the session's open transaction, which is committed.
 */
export async function* copyOut(
  session: Session,
  query: string,
  format: StagedFormat['kind'] & ('pgcopy' | 'csv'),
  attempt: Attempt,
): AsyncGenerator<Page> {
  const stream = to(`COPY (${query}) TO STDOUT (${options[format]})`, { highWaterMark: 256 * 1024 });
  let complete = false;
  let bytes = 0;
  let beaten = 0;
  try {
    const chunks = await session.run(async (client) => client.query(stream)[Symbol.asyncIterator]());
    for (;;) {
      const next: IteratorResult<Buffer> = await session.run(async () => chunks.next());
      if (next.done === true) break;
      bytes += next.value.length;
      if (Date.now() - beaten > beatEveryMilliseconds) {
        attempt.beat({ bytes });
        beaten = Date.now();
      }
      yield { bytes: next.value, rows: 0 };
    }
    // Waits for CommandComplete, which follows the last byte: the count, or a late failure.
    await session.query('COMMIT');
    complete = true;
  } finally {
    if (!complete) session.destroy();
  }
  yield { bytes: new Uint8Array(), rows: stream.rowCount };
}
