import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import type { Alert, AlertKind } from '../schema/alert.ts';
import type { AlertDefinition, ModelDefinition, PipelineDefinition } from '../schema/definition.ts';
import type { Failure, RunReport } from '../schema/run.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import type { SyncReport } from '../schema/sync.ts';
import { beginStreak, endStreak, type Streak } from './alert-streak.ts';

/** What a run came to, as far as alerts care. `undefined`: neither a success nor a failure (skipped). */
interface Outcome {
  readonly succeeded: boolean | undefined;
  readonly summary: string;
  readonly details: readonly string[];
  /** Rows by stream, and how many of them were refused. */
  readonly streams: readonly { readonly stream: string; readonly read: number; readonly rejected: number }[];
}

type Owner = Pick<ModelDefinition | PipelineDefinition, 'project' | 'name'>;

const most = 20;

function message({ project, name }: Owner, kind: AlertKind, { summary, details }: Pick<Outcome, 'summary' | 'details'>): Alert {
  const { workflowId, runId } = workflowInfo();
  return {
    id: `${workflowId}/${runId}/${kind}`,
    kind,
    project,
    name,
    at: new Date().toISOString(),
    summary,
    details: details.slice(0, most),
    run: { workflowId, runId },
  };
}

const percent = (share: number): string => `${Math.round(share * 1000) / 10}%`;

async function tellRejections(owner: Owner, definition: AlertDefinition, { streams, succeeded }: Outcome): Promise<void> {
  const limit = definition.rejectedShare;
  if (limit === undefined || !definition.on.includes('rejected')) return;
  const streak: Streak = { ...owner, kind: 'rejected', definition };
  const over = streams.filter((stream) => stream.read > 0 && stream.rejected / stream.read > limit);
  if (over.length === 0) {
    if (succeeded === true && streams.length > 0) await endStreak(streak, null);
    return;
  }
  const details = over.map(
    (stream) => `${stream.stream}: ${stream.rejected} of ${stream.read} rows rejected (${percent(stream.rejected / stream.read)})`,
  );
  const summary = `more than ${percent(limit)} of the rows were rejected; see them with: millrace rejections ${owner.name}`;
  await beginStreak(streak, message(owner, 'rejected', { summary, details }));
}

/** A success ends a streak of failures and one of lateness, and says so once. */
async function tellSuccess(owner: Owner, definition: AlertDefinition): Promise<void> {
  const tells = definition.on.includes('recovered');
  const last = (was: string): Alert | null =>
    tells ? message(owner, 'recovered', { summary: `succeeded again after it ${was}`, details: [] }) : null;
  const follows = definition.on.includes('failed') || tells;
  const failed = follows && (await endStreak({ ...owner, kind: 'failed', definition }, last('failed')));
  if (definition.on.includes('late')) await endStreak({ ...owner, kind: 'late', definition }, failed ? null : last('was late'));
}

async function tellOne(owner: Owner, definition: AlertDefinition, outcome: Outcome): Promise<void> {
  const { on } = definition;
  if (outcome.succeeded === true) await tellSuccess(owner, definition);
  if (outcome.succeeded === false && (on.includes('failed') || on.includes('recovered'))) {
    await beginStreak({ ...owner, kind: 'failed', definition }, on.includes('failed') ? message(owner, 'failed', outcome) : null);
  }
  await tellRejections(owner, definition, outcome);
}

async function tell(owner: Owner, alerts: readonly AlertDefinition[], outcome: Outcome): Promise<void> {
  if (CancellationScope.current().consideredCancelled) return;
  const { project, name } = owner;
  await Promise.all(alerts.map((definition) => tellOne({ project, name }, definition, outcome)));
}

const sentence = (name: string, failure: Failure | undefined): string => `${name}: ${failure?.code}: ${failure?.message}`;

/** Did a run fail for something to be told? A model with alerts of its own tells for itself; a stream that was taken is another run's. */
function outcomeOf(pipeline: PipelineDefinition, report: RunReport): Outcome {
  const tellingModels = new Set(pipeline.models.filter((model) => model.alerts.length > 0).map((model) => model.name));
  const details = [
    ...report.streams.filter(({ status }) => status === 'failed').map(({ stream, failure }) => sentence(stream, failure)),
    ...report.models
      .filter(({ status, model }) => status === 'failed' && !tellingModels.has(model))
      .map(({ model, failure }) => sentence(`model ${model}`, failure)),
  ];
  const loaded = report.status !== 'skipped' && report.streams.every(({ status }) => status === 'loaded');
  const succeeded = details.length > 0 ? false : loaded ? true : undefined;
  const of = report.streams.length + report.models.length;
  return { succeeded, summary: `failed: ${details.length} of ${of} streams and models`, details, streams: report.streams };
}

/** Tells about the end of a pipeline's run, where its alerts ask for it. Never throws. */
export async function tellRun(pipeline: PipelineDefinition, report: RunReport): Promise<void> {
  if (pipeline.alerts.length > 0) await tell(pipeline, pipeline.alerts, outcomeOf(pipeline, report));
}

/** Tells about a pipeline or model that failed as a whole, or a model that was built. Never throws. */
export async function tellEnd(owner: Owner & { readonly alerts: readonly AlertDefinition[] }, failure?: Failure): Promise<void> {
  if (owner.alerts.length === 0) return;
  const succeeded = failure === undefined;
  const details = succeeded ? [] : [`${failure.code}: ${failure.message}`];
  await tell(owner, owner.alerts, { succeeded, summary: 'failed', details, streams: [] });
}

/** Tells about the end of a sync's run, where its alerts ask for it; rows that were refused before and again are no news. Never throws. */
export async function tellSync(sync: SyncDefinition, report: SyncReport): Promise<void> {
  if (sync.alerts.length === 0) return;
  const { failure, again = 0 } = report;
  const news = { stream: sync.object, read: report.planned - again, rejected: Math.max(0, report.rejected - again) };
  await tell(sync, sync.alerts, {
    succeeded: report.status === 'succeeded' ? true : failure === undefined ? undefined : false,
    summary: 'failed',
    details: failure === undefined ? [] : [`${failure.code}: ${failure.message}`],
    streams: news.read > 0 ? [news] : [],
  });
}
