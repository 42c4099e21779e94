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
import type { model as modelWorkflow } from '../workflows/model.ts';
import type { pipeline as pipelineWorkflow } from '../workflows/pipeline.ts';
import { runIdOf, taskQueueOf } from './names.ts';
import { searchAttributesOf } from './search-attributes.ts';

/** What can be run by name. */
export type Runnable =
  | { readonly kind: 'pipeline'; readonly definition: PipelineDefinition }
  | { readonly kind: 'model'; readonly definition: ModelDefinition };

/** Inputs above this are refused: a server would refuse them later, and less clearly. */
const largestDefinition = 256 * 1024;

export interface StartedRun {
  readonly workflowId: string;
  readonly runId: string;
  /** True when a run without options was under way already, and this is it. */
  readonly joined: boolean;
}

/** A manual run's options without any of them set joins a run that is under way; others are refused. */
const isPlain = (options: Omit<RunOptions, 'trigger'>): boolean =>
  !options.fullRefresh && options.window === undefined && options.retry === undefined;

/** What the Temporal UI shows of a run beside its id. */
export function summaryOf(runnable: Runnable, options: Omit<RunOptions, 'trigger'>): { staticSummary: string; staticDetails: string } {
  if (runnable.kind === 'model') return { staticSummary: `model **${runnable.definition.name}**`, staticDetails: '' };
  const { definition } = runnable;
  const how = options.fullRefresh ? ' (full refresh)' : options.retry ? ' (retry)' : options.window ? ' (window)' : '';
  return {
    staticSummary: `**${definition.name}**: ${definition.from.name} → ${definition.to.name}.${definition.schema}${how}`.slice(0, 200),
    staticDetails: definition.streams
      .map((stream) => `- ${stream.stream}: ${stream.mode}`)
      .join('\n')
      .slice(0, 10_000),
  };
}

/** What a workflow of a run is started with; the same for runs and schedules. */
export function workflowOf(runnable: Runnable, options: RunOptions): { type: 'pipeline' | 'model'; args: unknown[] } {
  const input = runnable.kind === 'pipeline' ? { pipeline: runnable.definition, options } : { model: runnable.definition };
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
export async function startRun(
  client: Client,
  runnable: Runnable,
  options: Omit<RunOptions, 'trigger'>,
  hash: string,
): Promise<StartedRun> {
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

export type RunOutcome =
  | { readonly ok: true; readonly report?: RunReport; readonly model?: ModelReport }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly report?: RunReport };

function failedOutcome(error: WorkflowFailedError): RunOutcome {
  const { cause } = error;
  if (!(cause instanceof ApplicationFailure)) return { ok: false, code: 'cancelled', message: cause?.message ?? error.message };
  const [report] = cause.details ?? [];
  return {
    ok: false,
    code: cause.type ?? 'failed',
    message: cause.message,
    ...(report === undefined ? {} : { report: report as RunReport }),
  };
}

/** Waits for the end of a run. */
export async function runOutcome(
  client: Client,
  runnable: Pick<Runnable, 'kind'>,
  run: Pick<StartedRun, 'workflowId' | 'runId'>,
): Promise<RunOutcome> {
  try {
    if (runnable.kind === 'pipeline') return { ok: true, report: await pipelineHandle(client, run).result() };
    return { ok: true, model: await client.workflow.getHandle<typeof modelWorkflow>(run.workflowId, run.runId).result() };
  } catch (error) {
    if (error instanceof WorkflowFailedError) return failedOutcome(error);
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
