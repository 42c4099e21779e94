import { modelTable, remarks, runSentence, runTable } from '../display/run-report.ts';
import { duration } from '../display/text.ts';
import type { RunOutcome, StartedRun } from '../runs.ts';
import { Unsuccessful } from './failure.ts';
import type { Output } from './output.ts';
import type { Connected } from './servers.ts';

function showOutcome(outcome: RunOutcome, page: string, output: Output): void {
  const model = outcome.ok ? outcome.model : undefined;
  if (outcome.report !== undefined) {
    for (const line of ['', ...runTable(outcome.report), '']) output.line(line);
    for (const line of remarks(outcome.report)) output.line(line);
    output.line(runSentence(outcome.report));
    const { pipeline, streams } = outcome.report;
    if (streams.some(({ rejected }) => rejected > 0)) output.line(`Rejected rows and reasons: millrace rejections ${pipeline}`);
  }
  if (model !== undefined) {
    for (const line of ['', ...modelTable([model]), '', ...remarks({ streams: [], models: [model] })]) output.line(line);
    output.line(`model ${model.model} ${model.status} in ${duration(model.seconds)}`);
  }
  if (!outcome.ok && outcome.report === undefined) output.line(`failed: ${outcome.code}: ${outcome.message}`);
  output.line(page);
}

/** Tells how a run ended; throws `Unsuccessful` when it was no success. */
export function conclude(outcome: RunOutcome, run: StartedRun, connected: Connected, output: Output): void {
  const page = connected.page(run);
  output.data({ ...outcome, workflowId: run.workflowId, runId: run.runId, page });
  showOutcome(outcome, page, output);
  const ended =
    outcome.ok && outcome.report?.status !== 'failed' && outcome.report?.status !== 'skipped' && outcome.model?.status !== 'failed';
  if (!ended) throw new Unsuccessful();
}
