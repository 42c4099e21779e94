import type { BookedSyncRun, OpenRow } from '../../schema/sync-books.ts';
import { table, type TableColumn } from './table.ts';
import { count, oneLine } from './text.ts';

const at = (moment: string): string => moment.slice(0, 19).replace('T', ' ');

function again({ outcome, nextAt }: OpenRow): string {
  if (outcome === 'unknown') return 'waits for a decision';
  if (outcome === 'sent') return 'settled by the next run';
  if (nextAt !== null) return new Date(nextAt).getTime() <= Date.now() ? 'taken up by the next run' : `again at ${at(nextAt)}`;
  return outcome === 'invalid' ? 'until the model has it right' : 'when its row changes, or by millrace retry';
}

/** A row whose last outcome isn't an acknowledgement: what became of it and why, and what comes next. */
export function openRowLines(row: OpenRow): readonly string[] {
  const { key, outcome, operation, reason, code, requestId, attempts, firstAt } = row;
  const what = [outcome, operation === null ? '' : `(${operation})`].filter((part) => part !== '').join(' ');
  const why = [code ?? '', reason ?? ''].filter((part) => part !== '').join(': ');
  const details = [
    ...(requestId === null ? [] : [`request ${requestId}`]),
    ...(attempts > 1 ? [`${count(attempts)} attempts since ${at(firstAt)}`] : [`since ${at(firstAt)}`]),
    again(row),
  ];
  return [`${oneLine(key)}: ${what}${why === '' ? '' : `: ${oneLine(why)}`}`, `    ${details.join(', ')}`];
}

const runColumns: readonly TableColumn[] = [
  { title: 'began' },
  { title: 'status' },
  { title: 'planned', right: true },
  { title: 'acknowledged', right: true },
  { title: 'rejected', right: true },
  { title: 'unknown', right: true },
  { title: 'invalid', right: true },
  { title: 'why' },
];

/** Runs as the books have them. */
export function syncRunsTable(runs: readonly BookedSyncRun[]): readonly string[] {
  return table(
    runColumns,
    runs.map(({ startedAt, status, planned, acknowledged, rejected, unknown, invalid, failure }) => [
      at(startedAt),
      status,
      count(planned),
      count(acknowledged),
      rejected > 0 ? count(rejected) : '',
      unknown > 0 ? count(unknown) : '',
      invalid > 0 ? count(invalid) : '',
      failure ?? '',
    ]),
  );
}
