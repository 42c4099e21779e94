import type { ModelReport, RunReport, StreamReport } from '../../schema/run.ts';
import { table, type TableColumn } from './table.ts';
import { count, counted, duration, oneLine, some } from './text.ts';

/** Rows read a second; empty before the first. */
export function rate({ read, seconds }: Pick<StreamReport, 'read' | 'seconds'>): string {
  return seconds > 0 && read > 0 ? `${count(read / seconds)}/s` : '';
}

const columns: readonly TableColumn[] = [
  { title: 'stream' },
  { title: 'to' },
  { title: 'status' },
  { title: 'step' },
  { title: 'read', right: true },
  { title: 'loaded', right: true },
  { title: 'rejected', right: true },
  { title: 'filtered', right: true },
  { title: 'duplicates', right: true },
  { title: 'unchanged', right: true },
  { title: 'deleted', right: true },
  { title: 'rate', right: true },
  { title: 'time', right: true },
];

function row(stream: StreamReport): readonly string[] {
  const waiting = stream.status === 'waiting';
  return [
    stream.stream,
    stream.target,
    stream.status,
    stream.step,
    waiting ? '' : count(stream.read),
    waiting ? '' : count(stream.loaded),
    some(stream.rejected),
    some(stream.filtered),
    some(stream.duplicates),
    some(stream.unchanged),
    some(stream.deleted),
    rate(stream),
    waiting ? '' : duration(stream.seconds),
  ];
}

const modelColumns: readonly TableColumn[] = [
  { title: 'model' },
  { title: 'status' },
  { title: 'rows', right: true },
  { title: 'time', right: true },
];

const modelRow = (model: ModelReport): readonly string[] => [
  model.model,
  model.status,
  model.rows > 0 ? count(model.rows) : '',
  duration(model.seconds),
];

/** Models as a table. */
export const modelTable = (models: readonly ModelReport[]): readonly string[] => table(modelColumns, models.map(modelRow));

/** A run as tables: its streams, then its models. */
export function runTable(report: RunReport): readonly string[] {
  const streams = report.streams.length > 0 ? table(columns, report.streams.map(row)) : [];
  return report.models.length > 0 ? [...streams, '', ...modelTable(report.models)] : streams;
}

/** Sentences below the tables: what failed and why, and what is worth knowing. */
export function remarks(report: Pick<RunReport, 'streams' | 'models'>): readonly string[] {
  const parts = [
    ...report.streams.map(({ stream, failure, notes }) => ({ name: stream, failure, notes })),
    ...report.models.map(({ model, failure, notes }) => ({ name: model, failure, notes })),
  ];
  return parts.flatMap(({ name, failure, notes }) => [
    ...(failure === undefined ? [] : [`${name}: ${failure.code}: ${oneLine(failure.message)}`]),
    ...notes.map((note) => `${name}: ${oneLine(note)}`),
  ]);
}

/** One sentence on a run: what it loaded and what it refused. */
export function runSentence(report: RunReport): string {
  const sum = (of: (stream: StreamReport) => number): number => report.streams.reduce((total, stream) => total + of(stream), 0);
  const loaded = report.streams.filter(({ status }) => status === 'loaded').length;
  const rejected = sum((stream) => stream.rejected);
  const parts = [
    `${loaded} of ${counted(report.streams.length, 'stream')}`,
    `${counted(
      sum((stream) => stream.read),
      'row',
    )} read`,
    `${count(sum((stream) => stream.loaded))} loaded`,
    ...(rejected > 0 ? [`${count(rejected)} rejected`] : []),
  ];
  return `${report.pipeline} ${report.status}: ${parts.join(', ')}, in ${duration(report.seconds)}`;
}
