import type { SyncReport } from '../schema/sync.ts';
import { cell, foot, grouped, table, time, type Column } from './page.ts';

const always: readonly Column<SyncReport>[] = [
  { title: 'status', of: ({ status, step }) => cell(step === '' ? status : `${status}: ${step}`) },
  { title: 'planned', right: true, of: ({ planned }) => grouped(planned) },
  { title: 'sent', right: true, of: ({ sent }) => grouped(sent) },
  { title: 'acknowledged', right: true, of: ({ acknowledged }) => grouped(acknowledged) },
  { title: 'rejected', right: true, of: ({ rejected }) => grouped(rejected) },
  { title: 'unknown', right: true, of: ({ unknown }) => grouped(unknown) },
  { title: 'invalid', right: true, of: ({ invalid }) => grouped(invalid) },
];

function rate({ seconds, sent }: SyncReport): string {
  return seconds > 0 && sent > 0 ? `${grouped(Math.round(sent / seconds))}/s` : '';
}

const last: readonly Column<SyncReport>[] = [
  { title: 'rate', right: true, of: rate },
  { title: 'time', right: true, of: ({ seconds }) => time(seconds) },
];

const operationsLine = ({ operations }: SyncReport): readonly string[] => {
  const parts = Object.entries(operations).flatMap(([operation, rows]) => (rows > 0 ? [`${grouped(rows)} ${operation}`] : []));
  return parts.length === 0 ? [] : ['', parts.join(', ')];
};

function remarks({ failure, notes }: SyncReport): readonly string[] {
  const lines = [
    ...(failure === undefined ? [] : [`- **${failure.code}**: ${cell(failure.message)}`]),
    ...notes.map((note) => `- ${cell(note)}`),
  ];
  return lines.length > 0 ? ['', ...lines] : [];
}

/** The page of a sync's run in the Temporal UI, as Markdown. */
export function syncPage(report: SyncReport): string {
  const jobs: readonly Column<SyncReport>[] = report.jobs > 0 ? [{ title: 'jobs', right: true, of: (one) => grouped(one.jobs) }] : [];
  const lines = [
    `**${report.sync}**: ${report.status}`,
    ...table([...always, ...jobs, ...last], [report]),
    ...operationsLine(report),
    ...remarks(report),
  ];
  return lines.join('\n').slice(0, 18_000) + foot;
}
