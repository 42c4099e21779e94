import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  executeChild,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { Failure, ModelReport, PipelineRun, RunReport, StreamPart, StreamReport } from '../schema/run.ts';
import { tellEnd, tellRun } from './alert-outcome.ts';
import { failureOf, failWith } from './failure.ts';
import { limit } from './limit.ts';
import { measureRun } from './measure.ts';
import { runModelsAfter } from './model.ts';
import { page } from './page.ts';
import { bookSteps, dataSteps } from './steps.ts';
import { stream } from './stream.ts';
import { emptyReport } from './stream-report.ts';
import { progressQuery, streamProgressed } from './track.ts';

/** A report in the details of a failed child. */
function reportOf(error: unknown): StreamReport | undefined {
  if (!(error instanceof ChildWorkflowFailure) || !(error.cause instanceof ApplicationFailure)) return undefined;
  const [report] = error.cause.details ?? [];
  return report as StreamReport | undefined;
}

/** The id of the workflow that loads a stream: fixed, so that only one can. */
const streamWorkflowId = (run: PipelineRun, part: StreamPart): string => `${run.pipeline.project}/${run.pipeline.name}/${part.stream}`;

async function loadPart(run: PipelineRun, part: StreamPart): Promise<StreamReport> {
  const workflowId = streamWorkflowId(run, part);
  try {
    return await executeChild(stream, {
      workflowId,
      args: [{ pipeline: { ...run.pipeline, streams: [part.definition] }, options: run.options, part }],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: `${part.stream} → ${part.target.schema}.${part.target.table} (${part.definition.mode})`,
      memo: { project: run.pipeline.project, pipeline: run.pipeline.name, stream: part.stream },
    });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return await takenReport(part, workflowId);
    const failure = failureOf(error);
    return { ...(reportOf(error) ?? emptyReport(part)), status: failure.code === 'cancelled' ? 'cancelled' : 'failed', failure };
  }
}

async function takenReport(part: StreamPart, workflowId: string): Promise<StreamReport> {
  const found = await bookSteps.findRun.executeWithOptions({ summary: `find who loads ${part.stream}` }, [workflowId]).catch(() => null);
  const by = found ?? { workflowId, runId: '' };
  const failure: Failure = { code: 'conflict', message: `another run is loading ${part.stream}: ${by.workflowId}` };
  return { ...emptyReport(part), status: 'taken', by, failure };
}

function statusOf(run: PipelineRun, streams: readonly StreamReport[], models: readonly ModelReport[]): RunReport['status'] {
  const bad = streams.filter((report) => report.status !== 'loaded');
  if (bad.length === 0) return models.some((model) => model.status === 'failed') ? 'failed' : 'succeeded';
  const skipped = run.options.trigger === 'schedule' && bad.every((report) => report.status === 'taken');
  return skipped && bad.length === streams.length ? 'skipped' : 'failed';
}

/** One sentence for the failure of a run. */
function sentence(report: RunReport): string {
  const failed = [
    ...report.streams.filter((part) => part.failure !== undefined).map((part) => `${part.stream}: ${part.failure?.message}`),
    ...report.models.filter((part) => part.failure !== undefined).map((part) => `model ${part.model}: ${part.failure?.message}`),
  ];
  const of = report.streams.length + report.models.length;
  return `${failed.length} of ${of} failed. ${failed.slice(0, 5).join('; ')}`;
}

/** One run of a pipeline: its streams side by side, then the models that follow it. One stream's failure doesn't stop its neighbours. */
export async function pipeline(run: PipelineRun): Promise<RunReport> {
  const startedAt = Date.now();
  const streams = new Map<string, StreamReport>();
  const models: ModelReport[] = [];
  let status: RunReport['status'] = 'running';
  const report = (): RunReport => ({
    pipeline: run.pipeline.name,
    status,
    streams: [...streams.values()],
    models,
    seconds: (Date.now() - startedAt) / 1000,
  });
  const show = (change: StreamReport): void => {
    streams.set(change.stream, change);
    setCurrentDetails(page(report()));
  };
  setHandler(progressQuery, report);
  setHandler(streamProgressed, (change) => {
    if (streams.get(change.stream)?.status === 'running') show(change);
  });

  const parts = await expand(run, startedAt);
  for (const part of parts) show(emptyReport(part));
  const inTurn = limit(run.pipeline.parallelStreams);
  await Promise.all(
    parts.map((part) =>
      inTurn(async () => {
        show({ ...emptyReport(part), status: 'running' });
        show(await loadPart(run, part));
      }),
    ),
  );
  const someLoaded = [...streams.values()].some((part) => part.status === 'loaded');
  if (someLoaded) models.push(...(await runModelsAfter(run.pipeline.models)));
  status = statusOf(run, [...streams.values()], models);
  setCurrentDetails(page(report()));
  measureRun(run.pipeline.name, CancellationScope.current().consideredCancelled ? 'cancelled' : status, report().seconds);
  // A retry says nothing about whether the source can be read.
  if (run.options.retry === undefined) await tellRun(run.pipeline, report());
  return ended(report());
}

/** The streams of a run; a run that can't know them has failed. */
async function expand({ pipeline: definition, options }: PipelineRun, startedAt: number): Promise<readonly StreamPart[]> {
  try {
    const found = await dataSteps(definition.heartbeatTimeout).expand.executeWithOptions({ summary: `expand ${definition.name}` }, [
      definition,
    ]);
    const parts = found.flatMap(({ stream: name, definition: no, table }) => {
      const of = definition.streams[no];
      return of === undefined ? [] : [{ stream: name, definition: of, target: { schema: definition.schema, table } }];
    });
    return windowed(wanted(definition.name, parts, options.retry?.stream), options);
  } catch (error) {
    const failure = failureOf(error);
    measureRun(definition.name, failure.code === 'cancelled' ? 'cancelled' : 'failed', (Date.now() - startedAt) / 1000);
    if (failure.code === 'cancelled') throw error;
    if (options.retry === undefined) await tellEnd(definition, failure);
    throw failWith(failure);
  }
}

/** A window is one of a cursor: streams without one are left out, unless none has one. */
function windowed(parts: readonly StreamPart[], options: PipelineRun['options']): readonly StreamPart[] {
  const withCursor = parts.filter((part) => part.definition.cursor !== undefined);
  return options.window === undefined || withCursor.length === 0 ? parts : withCursor;
}

/** The streams of a run that was asked for one of them. */
function wanted(pipelineName: string, parts: readonly StreamPart[], stream: string | undefined): readonly StreamPart[] {
  if (stream === undefined) return parts;
  const named = parts.filter((part) => part.stream === stream || part.definition.stream === stream);
  if (named.length > 0) return named;
  const names = parts.map((part) => part.stream).join(', ');
  throw ApplicationFailure.nonRetryable(`pipeline ${pipelineName} has no stream ${stream}; it has ${names}`, 'not-found');
}

/** Returns the report of a good run; throws a bad one's. */
function ended(report: RunReport): RunReport {
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('the run was cancelled');
  if (report.status !== 'failed') return report;
  const codes = new Set([...report.streams, ...report.models].flatMap((part) => (part.failure === undefined ? [] : [part.failure.code])));
  const [only] = codes;
  throw ApplicationFailure.create({
    message: sentence(report),
    type: codes.size === 1 && only !== undefined ? only : 'failed',
    nonRetryable: true,
    details: [report],
  });
}
