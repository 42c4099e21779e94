import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowIdConflictPolicy,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure, TypedSearchAttributes } from '@temporalio/common';
import type { ModelDefinition, PipelineDefinition } from '../schema/definition.ts';
import { MillraceError } from '../schema/errors.ts';
import type { ModelReport, RunOptions, RunReport } from '../schema/run.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import type { SyncOptions, SyncReport } from '../schema/sync.ts';
import type { model as modelWorkflow } from '../workflows/model.ts';
import type { pipeline as pipelineWorkflow } from '../workflows/pipeline.ts';
import type { sync as syncWorkflow } from '../workflows/sync.ts';
import { runIdOf, taskQueueOf } from './names.ts';
import { searchAttributesOf } from './search-attributes.ts';

/** What can be run by name. */
export type Runnable =
  | { readonly kind: 'pipeline'; readonly definition: PipelineDefinition }
  | { readonly kind: 'model'; readonly definition: ModelDefinition }
  | { readonly kind: 'sync'; readonly definition: SyncDefinition };

/** What a manual run may be asked for: of a pipeline, or of a sync. */
export type StartOptions = Omit<RunOptions, 'trigger'> | Omit<SyncOptions, 'trigger'>;

/** A run of a sync that was asked for nothing in particular. */
export const plainSync: Omit<SyncOptions, 'trigger'> = { full: false, retry: false, resend: false };

/** Inputs above this are refused: a server would refuse them later, and less clearly. */
const largestDefinition = 256 * 1024;

export interface StartedRun {
  readonly workflowId: string;
  readonly runId: string;
  /** True when a run without options was under way already, and this is it. */
  readonly joined: boolean;
}

/** A manual run's options without any of them set joins a run that is under way; others are refused. */
export function isPlain(options: StartOptions): boolean {
  if ('full' in options) return !options.full && !options.retry && !options.resend && options.unknown === undefined;
  return !options.fullRefresh && options.window === undefined && options.retry === undefined;
}

function howSync({ full, retry, unknown }: Omit<SyncOptions, 'trigger'>): string {
  return full ? ' (full)' : retry ? ' (retry)' : unknown === undefined ? '' : ` (unknown rows: ${unknown})`;
}

const howPipeline = ({ fullRefresh, retry, window }: Omit<RunOptions, 'trigger'>): string =>
  fullRefresh ? ' (full refresh)' : retry ? ' (retry)' : window ? ' (window)' : '';

function summaryOfSync(
  { name, model, to, object, mode, map }: SyncDefinition,
  options: StartOptions,
): { staticSummary: string; staticDetails: string } {
  const how = 'full' in options ? howSync(options) : '';
  return {
    staticSummary: `**${name}**: ${model.name} → ${to.name}.${object} (${mode})${how}`.slice(0, 200),
    staticDetails: map
      .map(({ column, field }) => `- ${column} → ${field}`)
      .join('\n')
      .slice(0, 10_000),
  };
}

/** What the Temporal UI shows of a run beside its id. */
export function summaryOf(runnable: Runnable, options: StartOptions): { staticSummary: string; staticDetails: string } {
  if (runnable.kind === 'model') return { staticSummary: `model **${runnable.definition.name}**`, staticDetails: '' };
  if (runnable.kind === 'sync') return summaryOfSync(runnable.definition, options);
  const { definition } = runnable;
  const how = 'full' in options ? '' : howPipeline(options);
  return {
    staticSummary: `**${definition.name}**: ${definition.from.name} → ${definition.to.name}.${definition.schema}${how}`.slice(0, 200),
    staticDetails: definition.streams
      .map((stream) => `- ${stream.stream}: ${stream.mode}`)
      .join('\n')
      .slice(0, 10_000),
  };
}

function inputOf(runnable: Runnable, options: RunOptions | SyncOptions): object {
  if (runnable.kind === 'model') return { model: runnable.definition };
  if (runnable.kind === 'pipeline') return { pipeline: runnable.definition, options };
  return { sync: runnable.definition, options: 'full' in options ? options : { ...plainSync, trigger: options.trigger } };
}

/** What a workflow of a run is started with; the same for runs and schedules. The options of a sync's schedule are `SyncOptions`. */
export function workflowOf(runnable: Runnable, options: RunOptions | SyncOptions): { type: Runnable['kind']; args: unknown[] } {
  const input = inputOf(runnable, options);
  const bytes = Buffer.byteLength(JSON.stringify(input));
  if (bytes > largestDefinition) {
    throw new MillraceError(
      'config',
      `${runnable.kind} ${runnable.definition.name}: its definition has ${Math.round(bytes / 1024)} KiB, more than the ${largestDefinition / 1024} KiB that a run can carry; split it into several`,
    );
  }
  return { type: runnable.kind, args: [input] };
}

/** Starts a run, or joins the one under way. Throws `conflict` naming the other run when this one has options. */
export async function startRun(client: Client, runnable: Runnable, options: StartOptions, hash: string): Promise<StartedRun> {
  const { project, name } = runnable.definition;
  const workflowId = runIdOf(project, name);
  const { type, args } = workflowOf(runnable, { ...options, trigger: 'manual' });
  const attributes = await searchAttributesOf(client, project, name, runnable.kind);
  try {
    const handle = await client.workflow.start(type, {
      workflowId,
      taskQueue: taskQueueOf(project),
      args,
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
      memo: { project, name, kind: runnable.kind, definitionHash: hash },
      ...(attributes.length > 0 ? { typedSearchAttributes: new TypedSearchAttributes(attributes) } : {}),
      ...summaryOf(runnable, options),
    });
    return { workflowId, runId: handle.firstExecutionRunId, joined: false };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const { runId } = await client.workflow.getHandle(workflowId).describe();
    if (isPlain(options)) return { workflowId, runId, joined: true };
    throw new MillraceError(
      'conflict',
      `${name} is running already (${workflowId}, run ${runId}): wait for it or cancel it (millrace cancel ${name}), then ask again`,
      { cause: error },
    );
  }
}

/** A pipeline's run as a handle. */
function pipelineHandle(client: Client, run: Pick<StartedRun, 'workflowId' | 'runId'>): WorkflowHandle<typeof pipelineWorkflow> {
  return client.workflow.getHandle<typeof pipelineWorkflow>(run.workflowId, run.runId);
}

/** A sync's run as a handle. */
function syncHandle(client: Client, run: Pick<StartedRun, 'workflowId' | 'runId'>): WorkflowHandle<typeof syncWorkflow> {
  return client.workflow.getHandle<typeof syncWorkflow>(run.workflowId, run.runId);
}

export type RunOutcome =
  | { readonly ok: true; readonly report?: RunReport; readonly model?: ModelReport; readonly sync?: SyncReport }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly report?: RunReport; readonly sync?: SyncReport };

function failedOutcome(error: WorkflowFailedError, kind: Runnable['kind']): RunOutcome {
  const { cause } = error;
  if (!(cause instanceof ApplicationFailure)) return { ok: false, code: 'cancelled', message: cause?.message ?? error.message };
  const [report] = cause.details ?? [];
  const reported = kind === 'sync' ? { sync: report as SyncReport } : { report: report as RunReport };
  return { ok: false, code: cause.type ?? 'failed', message: cause.message, ...(report === undefined ? {} : reported) };
}

/** Waits for the end of a run. */
export async function runOutcome(
  client: Client,
  runnable: Pick<Runnable, 'kind'>,
  run: Pick<StartedRun, 'workflowId' | 'runId'>,
): Promise<RunOutcome> {
  try {
    if (runnable.kind === 'pipeline') return { ok: true, report: await pipelineHandle(client, run).result() };
    if (runnable.kind === 'sync') return { ok: true, sync: await syncHandle(client, run).result() };
    return { ok: true, model: await client.workflow.getHandle<typeof modelWorkflow>(run.workflowId, run.runId).result() };
  } catch (error) {
    if (error instanceof WorkflowFailedError) return failedOutcome(error, runnable.kind);
    throw error;
  }
}

/** What a pipeline's run did so far; undefined when no worker answers. */
export async function runProgress(client: Client, run: Pick<StartedRun, 'workflowId' | 'runId'>): Promise<RunReport | undefined> {
  try {
    return await pipelineHandle(client, run).query<RunReport>('progress');
  } catch {
    return undefined;
  }
}

/** What a sync's run did so far; undefined when no worker answers. */
export async function syncProgress(client: Client, run: Pick<StartedRun, 'workflowId' | 'runId'>): Promise<SyncReport | undefined> {
  try {
    return await syncHandle(client, run).query<SyncReport>('progress');
  } catch {
    return undefined;
  }
}
