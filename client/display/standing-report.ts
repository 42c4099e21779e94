import type { PastRun } from '../run-history.ts';
import type { Standing } from '../standing.ts';
import { ingestLines } from './ingest-report.ts';
import { remarks, runTable } from './run-report.ts';
import { syncRemarks, syncTable } from './sync-report.ts';
import { table, type TableColumn } from './table.ts';
import { count, duration, fromNow, moment } from './text.ts';

const overview: readonly TableColumn[] = [
  { title: 'name' },
  { title: 'kind' },
  { title: 'last run' },
  { title: 'began' },
  { title: 'loaded', right: true },
  { title: 'rejected', right: true },
  { title: 'last success' },
  { title: 'next' },
];

const total = ({ report }: Standing, of: 'loaded' | 'rejected'): number =>
  (report?.streams ?? []).reduce((sum, stream) => sum + stream[of], 0);

/** Rows that the newest run loaded, or that an application acknowledged. */
function delivered(standing: Standing): string {
  if (standing.ingest !== undefined) return count(standing.ingest.loaded);
  if (standing.sync !== undefined) return count(standing.sync.acknowledged);
  return standing.report === undefined ? '' : count(total(standing, 'loaded'));
}

const refused = (standing: Standing): number => standing.ingest?.rejected ?? standing.sync?.rejected ?? total(standing, 'rejected');

/** What holds it, and why; undefined where nothing does. */
function pauseOf({ ingest, schedule }: Standing): string | undefined {
  const note = ingest?.status === 'paused' ? (ingest.note ?? '') : schedule?.paused === true ? schedule.note : undefined;
  return note === undefined ? undefined : `paused${note === '' ? '' : ` (${note})`}`;
}

/** What loads events is idle or at work, for as long as it is there. */
function stateOf({ runs: [newest], ingest }: Standing): string {
  return newest?.state === 'running' && ingest !== undefined ? ingest.status : (newest?.state ?? 'never');
}

function nextStart({ schedule, ingest }: Standing): string {
  if (ingest !== undefined) return ingest.status === 'paused' ? 'paused' : 'as events come';
  if (schedule === undefined) return '';
  if (schedule.paused) return 'paused';
  return schedule.next === undefined ? '' : fromNow(schedule.next);
}

function overviewRow(standing: Standing): readonly string[] {
  const [newest] = standing.runs;
  const rejected = refused(standing);
  return [
    standing.name,
    standing.kind,
    stateOf(standing),
    newest === undefined ? '' : fromNow(newest.startedAt),
    delivered(standing),
    rejected > 0 ? count(rejected) : '',
    standing.lastSuccess === undefined ? '' : fromNow(standing.lastSuccess),
    nextStart(standing),
  ];
}

/** A table of all that can run. */
export const standingsTable = (standings: readonly Standing[]): readonly string[] => table(overview, standings.map(overviewRow));

const differences: Readonly<Record<Standing['applied'], string | undefined>> = {
  same: undefined,
  none: undefined,
  differs: 'the schedule on the server runs an older definition than the project file has: millrace apply',
  missing: 'the project file has a schedule that the server does not: millrace apply',
  stale: 'the server has a schedule that the project file no longer has: millrace apply --prune',
};

/** Sentences on what deserves attention. */
export function attention(standing: Standing): readonly string[] {
  const { name, failure, late, lastSuccess, applied } = standing;
  const since = lastSuccess === undefined ? 'it has never succeeded' : `its last success was ${fromNow(lastSuccess)}`;
  const difference = differences[applied];
  const paused = pauseOf(standing);
  return [
    ...(failure === undefined ? [] : [`${name}: ${failure.code}: ${failure.message}`]),
    ...(late ? [`${name} is late: ${since}`] : []),
    ...(difference === undefined ? [] : [`${name}: ${difference}`]),
    ...(paused === undefined ? [] : [`${name}: ${paused}: millrace resume ${name}`]),
  ];
}

const runColumns: readonly TableColumn[] = [{ title: 'run' }, { title: 'began' }, { title: 'took', right: true }, { title: 'page' }];

/** A table of runs; a page's address stands after each. */
function runsTable(runs: readonly PastRun[], page: (run: PastRun) => string): readonly string[] {
  const [head = '', ...lines] = table(
    runColumns.slice(0, 3),
    runs.map(({ state, startedAt, endedAt }) => [
      state,
      moment(startedAt),
      endedAt === undefined ? '' : duration((endedAt.getTime() - startedAt.getTime()) / 1000),
    ]),
  );
  return [
    `${head}  page`,
    ...lines.map((line, index) => `${line.padEnd(head.length)}  ${runs[index] === undefined ? '' : page(runs[index])}`),
  ];
}

/** One pipeline, model or sync in detail. */
export function standingDetail(standing: Standing, page: (run: PastRun) => string): readonly string[] {
  const { runs, report, sync, schedule } = standing;
  const next =
    schedule === undefined || schedule.paused || schedule.next === undefined
      ? []
      : [`next start: ${moment(schedule.next)} (${fromNow(schedule.next)})`];
  return [
    ...(runs.length === 0 ? [`${standing.name} has not run yet: millrace run ${standing.name}`] : runsTable(runs, page)),
    ...(standing.ingest === undefined ? [] : ['', ...ingestLines(standing.ingest)]),
    ...(report === undefined ? [] : ['', ...runTable(report), ...remarks(report)]),
    ...(sync === undefined ? [] : ['', ...syncTable(sync), ...syncRemarks(sync)]),
    ...next,
  ];
}
