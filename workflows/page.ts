import type { ModelReport, RunReport, StreamReport } from '../schema/run.ts';

/** Digits in groups, held together: the UI gives the table half the window, and would break the number. */
export const grouped = (value: number): string => value.toString().replace(/\B(?=(\d{3})+$)/g, '\u00A0');

/** The UI's box for Markdown lacks the height of the page's margins: an empty paragraph gives it. */
export const foot = '\n\n\u00A0';

export const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
export const time = (seconds: number): string => `${seconds.toFixed(1)}\u00A0s`;

export interface Column<Report> {
  readonly title: string;
  readonly of: (report: Report) => string;
  readonly right?: true;
}

function rate({ seconds, read }: StreamReport): string {
  return seconds > 0 && read > 0 ? `${grouped(Math.round(read / seconds))}/s` : '';
}

const always: readonly Column<StreamReport>[] = [
  { title: 'stream', of: ({ stream }) => cell(stream) },
  { title: 'status', of: ({ status, step }) => cell(step === '' ? status : `${status}: ${step}`) },
  { title: 'read', right: true, of: ({ read }) => grouped(read) },
  { title: 'loaded', right: true, of: ({ loaded }) => grouped(loaded) },
];

/** Counts that most runs have none of; a column for each that this one has. */
const sometimes = ['rejected', 'filtered', 'duplicates', 'unchanged', 'deleted'] as const;

function columnsOf(streams: readonly StreamReport[]): readonly Column<StreamReport>[] {
  const counted = sometimes.filter((count) => streams.some((stream) => stream[count] > 0));
  return [
    ...always,
    ...counted.map((count): Column<StreamReport> => ({ title: count, right: true, of: (stream) => grouped(stream[count]) })),
    { title: 'rate', right: true, of: rate },
    { title: 'time', right: true, of: ({ seconds }) => time(seconds) },
  ];
}

const modelColumns: readonly Column<ModelReport>[] = [
  { title: 'model', of: ({ model }) => cell(model) },
  { title: 'status', of: ({ status }) => status },
  { title: 'rows', right: true, of: ({ rows }) => grouped(rows) },
  { title: 'time', right: true, of: ({ seconds }) => time(seconds) },
];

/** The UI sets no space between columns, so numbers bring theirs. */
const spaced = <Report>({ right }: Column<Report>, text: string): string => (right ? `\u00A0\u00A0${text}` : text);

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** A Markdown table with a line for each report. */
export function table<Report>(columns: readonly Column<Report>[], reports: readonly Report[]): readonly string[] {
  if (reports.length === 0) return [];
  const rule = `|${columns.map(({ right }) => (right ? '---:' : '---')).join('|')}|`;
  return [
    '',
    line(columns.map((column) => spaced(column, column.title))),
    rule,
    ...reports.map((report) => line(columns.map((column) => spaced(column, column.of(report))))),
  ];
}

/** Sentences below the tables: what failed, and what is worth knowing. */
function remarks(report: RunReport): readonly string[] {
  const parts = [
    ...report.streams.map(({ stream, failure, notes }) => ({ name: stream, failure, notes })),
    ...report.models.map(({ model, failure, notes }) => ({ name: model, failure, notes })),
  ];
  const lines = parts.flatMap(({ name, failure, notes }) => [
    ...(failure === undefined ? [] : [`- **${cell(name)}: ${failure.code}**: ${cell(failure.message)}`]),
    ...notes.map((note) => `- ${cell(name)}: ${cell(note)}`),
  ]);
  return lines.length > 0 ? ['', ...lines] : [];
}

/** The run page of the Temporal UI, as Markdown. */
export function page(report: RunReport): string {
  const lines = [
    `**${report.pipeline}**: ${report.status}`,
    ...table(columnsOf(report.streams), report.streams),
    ...table(modelColumns, report.models),
    ...remarks(report),
  ];
  return lines.join('\n').slice(0, 18_000) + foot;
}
