import type { IngestReport } from '../../schema/ingest.ts';
import { table, type TableColumn } from './table.ts';
import { count, counted, duration, moment } from './text.ts';

const columns: readonly TableColumn[] = [
  { title: 'load' },
  { title: 'loaded', right: true },
  { title: 'duplicates', right: true },
  { title: 'rejected', right: true },
  { title: 'took', right: true },
];

/** What waits to be loaded, as far as the gateway said. */
function pendingOf({ status, failure, pending }: IngestReport): string {
  if (status === 'idle' && failure === undefined) return 'none wait';
  return pending === undefined ? 'some may wait' : `${counted(pending.bytes, 'byte')} wait`;
}

/** One sentence on the events of a pipeline. */
function ingestSentence(report: IngestReport): string {
  const { loads, loaded, duplicates, rejected } = report;
  const more = [
    ...(duplicates > 0 ? [`${count(duplicates)} duplicates dropped`] : []),
    ...(rejected > 0 ? [`${count(rejected)} rejected`] : []),
    pendingOf(report),
  ];
  return `${counted(loaded, 'event')} in ${counted(loads, 'load')}; ${more.join('; ')}`;
}

/** The latest loads of events, and their sum. */
export function ingestLines(report: IngestReport): readonly string[] {
  const { status, step, last, notes = [] } = report;
  const rows = last.map(({ at, loaded, duplicates, rejected, seconds }) => [
    moment(new Date(at)),
    count(loaded),
    count(duplicates),
    count(rejected),
    duration(seconds),
  ]);
  return [
    ...(rows.length === 0 ? [] : [...table(columns, rows), '']),
    `${status}${step === '' ? '' : ` (${step})`}: ${ingestSentence(report)}`,
    ...notes,
  ];
}
