import type { IngestLoad, IngestReport } from '../schema/ingest.ts';
import { cell, foot, grouped, table, time, type Column } from './page.ts';

const columns: readonly Column<IngestLoad>[] = [
  { title: 'load', of: ({ at }) => at.slice(0, 19).replace('T', ' ') },
  { title: 'loaded', right: true, of: ({ loaded }) => grouped(loaded) },
  { title: 'duplicates', right: true, of: ({ duplicates }) => grouped(duplicates) },
  { title: 'rejected', right: true, of: ({ rejected }) => grouped(rejected) },
  { title: 'time', right: true, of: ({ seconds }) => time(seconds) },
];

/** The page of a pipeline of events in the Temporal UI, as Markdown. */
export function ingestPage(pipeline: string, report: IngestReport): string {
  const { status, step, loads, loaded, duplicates, rejected, last, pending, failure, notes = [] } = report;
  const waits =
    pending === undefined ? [] : [`pending when it was last woken: ${grouped(pending.segments)} segments, ${grouped(pending.bytes)} bytes`];
  return (
    [
      `**${pipeline}**: ${status}${step === '' ? '' : `, ${cell(step)}`}`,
      ...table(columns, last),
      '',
      [
        `${grouped(loads)} loads, ${grouped(loaded)} events, ${grouped(duplicates)} duplicates, ${grouped(rejected)} rejected`,
        ...waits,
      ].join('; '),
      ...notes.map((note) => `- ${cell(note)}`),
      ...(failure === undefined ? [] : ['', `- **${failure.code}**: ${cell(failure.message)}`]),
    ]
      .join('\n')
      .slice(0, 18_000) + foot
  );
}
