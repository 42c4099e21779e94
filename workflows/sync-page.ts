import type { SyncReport } from '../schema/sync.ts';
import { cell, foot, grouped, table, time, type Column } from './page.ts';

const columns: readonly Column<SyncReport>[] = [
  { title: 'planned', right: true, of: ({ planned }) => grouped(planned) },
  { title: 'sent', right: true, of: ({ sent }) => grouped(sent) },
  { title: 'acknowledged', right: true, of: ({ acknowledged }) => grouped(acknowledged) },
  { title: 'rejected', right: true, of: ({ rejected }) => grouped(rejected) },
  { title: 'unknown', right: true, of: ({ unknown }) => grouped(unknown) },
  { title: 'invalid', right: true, of: ({ invalid }) => grouped(invalid) },
];

/** What stands below the table, which would be too wide for the UI with it. */
function sums({ operations, jobs, seconds, sent }: SyncReport): string {
  const written = Object.entries(operations).flatMap(([operation, rows]) => (rows > 0 ? [`${grouped(rows)} ${operation}`] : []));
  const underWay = jobs > 0 ? [`${grouped(jobs)} jobs`] : [];
  const rate = seconds > 0 && sent > 0 ? [`${grouped(Math.round(sent / seconds))}/s`] : [];
  return [...written, ...underWay, ...rate, time(seconds)].join(', ');
}

function remarks({ failure, notes }: SyncReport): readonly string[] {
  const lines = [
    ...(failure === undefined ? [] : [`- **${failure.code}**: ${cell(failure.message)}`]),
    ...notes.map((note) => `- ${cell(note)}`),
  ];
  return lines.length > 0 ? ['', ...lines] : [];
}

/** What is going on. Where a run failed, its numbers go further than those of the step. */
function standing({ status, step }: SyncReport): string {
  if (step === '') return status;
  return status === 'failed' ? `failed at ${cell(step.replace(/\s+\d[\d\s/]*$/, ''))}` : `${status}, ${cell(step)}`;
}

/** The page of a sync's run in the Temporal UI, as Markdown. */
export function syncPage(report: SyncReport): string {
  const lines = [`**${report.sync}**: ${standing(report)}`, ...table(columns, [report]), '', sums(report), ...remarks(report)];
  return lines.join('\n').slice(0, 18_000) + foot;
}
