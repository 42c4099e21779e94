import Cursor from 'pg-cursor';
import { MillraceError } from '../../../schema/errors.ts';
import type { DatasetRead } from '../../../schema/dataset.ts';
import { compileExport } from './compile.ts';
import { csvHeader } from './csv-sql.ts';
import { readFailed } from './failures.ts';
import { openDatasetSession, type SessionOptions } from './session-pool.ts';

const rowsAtOnce = 500;

/** All rows of a read as lines, from a portal of a session of its own: one statement, so one moment, and no more than is asked for. */
export async function* exportRows(
  options: SessionOptions,
  read: DatasetRead,
  format: 'ndjson' | 'csv',
  maskKey: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { text, values, subjects } = compileExport(read, format, maskKey);
  signal.throwIfAborted();
  const pooled = await openDatasetSession(options);
  const deadline = AbortSignal.timeout(options.timeout);
  const ended = AbortSignal.any([signal, deadline]);
  const abort = (): void => pooled.abort(ended.reason);
  ended.addEventListener('abort', abort, { once: true });
  try {
    ended.throwIfAborted();
    const cursor = pooled.session.client.query(new Cursor<[string]>(text, [...values], { rowMode: 'array' }));
    const end = format === 'csv' ? '\r\n' : '\n';
    // The header waits for the first rows: a query that fails at once has given nothing yet.
    let rows = await cursor.read(rowsAtOnce);
    if (format === 'csv') yield Buffer.from(csvHeader(read) + end);
    for (;;) {
      if (rows.length === 0) return;
      yield Buffer.from(rows.map(([line]) => line + end).join(''));
      rows = await cursor.read(rowsAtOnce);
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (deadline.aborted) throw new MillraceError('rejected', `the export took longer than ${options.timeout} ms`);
    throw readFailed(error, { what: options.what, subjects, timeout: options.timeout });
  } finally {
    ended.removeEventListener('abort', abort);
    pooled.session.destroy();
  }
}
