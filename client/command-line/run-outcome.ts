import { modelTable, remarks, runSentence, runTable } from '../display/run-report.ts';
import { syncRemarks, syncSentence, syncTable } from '../display/sync-report.ts';
import { duration } from '../display/text.ts';
import type { ModelReport, RunReport } from '../../schema/run.ts';
import type { SyncReport } from '../../schema/sync.ts';
import type { RunOutcome, StartedRun } from '../runs.ts';
import { Unsuccessful } from './failure.ts';
import type { Output } from './output.ts';
import type { Connected } from './servers.ts';

function pipelineLines(report: RunReport): readonly string[] {
  const { pipeline, streams } = report;
  const hint = streams.some(({ rejected }) => rejected > 0) ? [`Rejected rows and reasons: millrace rejections ${pipeline}`] : [];
  return ['', ...runTable(report), '', ...remarks(report), runSentence(report), ...hint];
}

function modelLines(model: ModelReport): readonly string[] {
  const sentence = `model ${model.model} ${model.status} in ${duration(model.seconds)}`;
  return ['', ...modelTable([model]), '', ...remarks({ streams: [], models: [model] }), sentence];
}

function syncLines(report: SyncReport, reasons: readonly string[]): readonly string[] {
  return ['', ...syncTable(report), '', ...syncRemarks(report), ...reasons, syncSentence(report)];
}

function outcomeLines(outcome: RunOutcome, reasons: readonly string[]): readonly string[] {
  const model = outcome.ok ? outcome.model : undefined;
  if (outcome.report !== undefined) return pipelineLines(outcome.report);
  if (outcome.sync !== undefined) return syncLines(outcome.sync, reasons);
  if (model !== undefined) return modelLines(model);
  return outcome.ok ? [] : [`failed: ${outcome.code}: ${outcome.message}`];
}

const isSuccess = (outcome: RunOutcome): boolean => {
  const statuses = [outcome.report?.status, outcome.ok ? outcome.model?.status : undefined, outcome.sync?.status];
  return outcome.ok && !statuses.includes('failed') && outcome.report?.status !== 'skipped' && outcome.sync?.status !== 'skipped';
};

/** Tells how a run ended, and of rows that it left open the first reasons; throws `Unsuccessful` when it was no success. */
export function conclude(
  outcome: RunOutcome,
  run: StartedRun,
  { connected, output, reasons = [] }: { readonly connected: Connected; readonly output: Output; readonly reasons?: readonly string[] },
): void {
  const page = connected.page(run);
  output.data({ ...outcome, workflowId: run.workflowId, runId: run.runId, page });
  for (const line of [...outcomeLines(outcome, reasons), page]) output.line(line);
  if (!isSuccess(outcome)) throw new Unsuccessful();
}
