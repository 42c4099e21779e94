import type { BookedRejection, BookedStream } from '../../schema/books.ts';
import { table, type TableColumn } from './table.ts';
import { oneLine } from './text.ts';

const streamColumns: readonly TableColumn[] = [
  { title: 'stream' },
  { title: 'table' },
  { title: 'cursor' },
  { title: 'version', right: true },
  { title: 'since' },
];

/** Where streams stand. */
export function streamsTable(streams: readonly BookedStream[]): readonly string[] {
  return table(
    streamColumns,
    streams.map(({ stream, target, cursor, version, updatedAt, targetExists }) => [
      stream,
      target === null ? '' : `${target.schema}.${target.table}${targetExists ? '' : ' (missing)'}`,
      cursor ?? '',
      String(version),
      updatedAt.slice(0, 19).replace('T', ' '),
    ]),
  );
}

const labelled = (label: string, value: string | null): string => (value === null || value === '' ? '' : `${label}${value}`);

/** A rejection on two lines: where and why, and the row as it was read. */
export function rejectionLines(rejection: BookedRejection): readonly string[] {
  const { stream, file, position, key, column, rule, reason, row, closedAt } = rejection;
  const place = [stream, labelled('', file), labelled('line ', position), labelled('key ', key), labelled('column ', column)];
  const closed = closedAt === null ? '' : ` (closed ${closedAt.slice(0, 19).replace('T', ' ')})`;
  const why = [labelled('', rule), labelled('', reason)].filter((part) => part !== '').join(': ');
  return [`${place.filter((part) => part !== '').join(', ')}: ${why}${closed}`, `    ${oneLine(row ?? '')}`];
}
