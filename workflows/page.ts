import type { ModelReport, RunReport, StreamReport } from '../schema/run.ts';

const number = (value: number): string => value.toString().replace(/\B(?=(\d{3})+$)/g, ' ');
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function rate(stream: StreamReport): string {
  return stream.seconds > 0 && stream.read > 0 ? `${number(Math.round(stream.read / stream.seconds))}/s` : '';
}

function row(stream: StreamReport): string {
  const counts = [stream.read, stream.loaded, stream.rejected, stream.filtered, stream.duplicates, stream.unchanged, stream.deleted];
  return `| ${[cell(stream.stream), cell(stream.target), stream.status, stream.step, ...counts.map(number), rate(stream), stream.seconds.toFixed(1)].join(' | ')} |`;
}

function modelRow(model: ModelReport): string {
  return `| ${[cell(model.model), model.status, number(model.rows), model.seconds.toFixed(1)].join(' | ')} |`;
}

/** Sentences below the table: what failed, and what is worth knowing. */
function remarks(report: RunReport): string[] {
  const parts = [
    ...report.streams.map(({ stream, failure, notes }) => ({ name: stream, failure, notes })),
    ...report.models.map(({ model, failure, notes }) => ({ name: model, failure, notes })),
  ];
  return parts.flatMap(({ name, failure, notes }) => [
    ...(failure === undefined ? [] : [`- **${cell(name)}: ${failure.code}**: ${cell(failure.message)}`]),
    ...notes.map((note) => `- ${cell(name)}: ${cell(note)}`),
  ]);
}

/** The run page of the Temporal UI, as Markdown. */
export function page(report: RunReport): string {
  const lines = [
    `**${report.pipeline}**: ${report.status}`,
    '',
    '| stream | to | status | step | read | loaded | rejected | filtered | duplicates | unchanged | deleted | rate | seconds |',
    '|---|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|',
    ...report.streams.map(row),
  ];
  if (report.models.length > 0)
    lines.push('', '| model | status | rows | seconds |', '|---|---|---:|---:|', ...report.models.map(modelRow));
  const below = remarks(report);
  return [...lines, ...(below.length > 0 ? ['', ...below] : [])].join('\n').slice(0, 18_000);
}
