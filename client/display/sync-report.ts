import type { SyncCounts, SyncReport } from '../../schema/sync.ts';
import { table, type TableColumn } from './table.ts';
import { count, counted, duration, oneLine, some } from './text.ts';

/** Rows sent a second; empty before the first. */
const rate = ({ sent, seconds }: SyncReport): string => (seconds > 0 && sent > 0 ? `${count(sent / seconds)}/s` : '');

const columns: readonly TableColumn[] = [
  { title: 'sync' },
  { title: 'status' },
  { title: 'step' },
  { title: 'planned', right: true },
  { title: 'sent', right: true },
  { title: 'acknowledged', right: true },
  { title: 'rejected', right: true },
  { title: 'unknown', right: true },
  { title: 'invalid', right: true },
  { title: 'jobs', right: true },
  { title: 'rate', right: true },
  { title: 'time', right: true },
];

/** A run of a sync as a table of one line. */
export function syncTable(report: SyncReport): readonly string[] {
  const { sync, status, step, planned, sent, acknowledged, rejected, unknown, invalid, jobs, seconds } = report;
  const cells = [
    sync,
    status,
    step,
    count(planned),
    count(sent),
    count(acknowledged),
    some(rejected),
    some(unknown),
    some(invalid),
    some(jobs),
    rate(report),
    duration(seconds),
  ];
  return table(columns, [cells]);
}

/** What a run does to the application: `3 create, 2 delete`. */
export function operationsText(operations: SyncReport['operations']): string {
  return Object.entries(operations)
    .filter(([, rows]) => rows > 0)
    .map(([operation, rows]) => `${count(rows)} ${operation}`)
    .join(', ');
}

/** `12 rows acknowledged of 15 planned, 3 rejected` */
function countsText({ planned, acknowledged, rejected, unknown, invalid }: SyncCounts): string {
  const others = [
    [rejected, 'rejected'],
    [unknown, 'unknown'],
    [invalid, 'invalid'],
  ] as const;
  return [
    `${counted(acknowledged, 'row')} acknowledged of ${count(planned)} planned`,
    ...others.filter(([rows]) => rows > 0).map(([rows, word]) => `${count(rows)} ${word}`),
  ].join(', ');
}

/** Sentences below the table: what failed and why, and what is worth knowing. */
export function syncRemarks({ sync, failure, notes }: SyncReport): readonly string[] {
  return [
    ...(failure === undefined ? [] : [`${sync}: ${failure.code}: ${oneLine(failure.message)}`]),
    ...notes.map((note) => `${sync}: ${oneLine(note)}`),
  ];
}

/** One sentence on a run of a sync. */
export function syncSentence(report: SyncReport): string {
  const operations = operationsText(report.operations);
  return `${report.sync} ${report.status}: ${countsText(report)}${operations === '' ? '' : ` (${operations})`}, in ${duration(report.seconds)}`;
}

/** One line on a run under way, for a place without a live table. */
export function syncLine(report: SyncReport): string {
  const parts = [report.step, report.planned > 0 ? countsText(report) : '', rate(report)];
  return `${report.sync}: ${[report.status, ...parts.filter((part) => part !== '')].join(', ')}`;
}
