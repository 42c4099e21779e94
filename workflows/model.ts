import { ChildWorkflowCancellationType, executeChild, ParentClosePolicy, setCurrentDetails, sleep } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { ModelDefinition } from '../schema/definition.ts';
import type { ModelReport, ModelRun } from '../schema/run.ts';
import { tellEnd } from './alert-outcome.ts';
import { failureOf, failWith } from './failure.ts';
import { page } from './page.ts';
import { modelSteps } from './steps.ts';

/** Builds one model in the warehouse. */
export async function model(run: ModelRun): Promise<ModelReport> {
  const startedAt = Date.now();
  const name = run.model.name;
  const show = (report: ModelReport): ModelReport => {
    setCurrentDetails(
      page({
        pipeline: name,
        status: report.status === 'failed' ? 'failed' : 'succeeded',
        streams: [],
        models: [report],
        seconds: report.seconds,
      }),
    );
    return report;
  };
  try {
    const built = await modelSteps(run.model.heartbeatTimeout).build.executeWithOptions({ summary: `build ${name}` }, [run.model]);
    if (!built.skipped) await tellEnd(run.model);
    return show({
      model: name,
      status: built.skipped ? 'skipped' : 'built',
      rows: built.rows,
      notes: built.notes,
      seconds: (Date.now() - startedAt) / 1000,
    });
  } catch (error) {
    const failure = failureOf(error);
    if (failure.code === 'cancelled') throw error;
    show({ model: name, status: 'failed', rows: 0, notes: [], seconds: (Date.now() - startedAt) / 1000, failure });
    await tellEnd(run.model, failure);
    throw failWith(failure);
  }
}

/** A build that is under way may have read before our commit: wait for it, then build again. */
async function runModel(definition: ModelDefinition): Promise<ModelReport> {
  for (;;) {
    try {
      return await executeChild(model, {
        workflowId: `${definition.project}/${definition.name}`,
        args: [{ model: definition }],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        staticSummary: `model ${definition.name}`,
        memo: { project: definition.project, model: definition.name },
      });
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) {
        await sleep('2s');
        continue;
      }
      const failure = failureOf(error);
      if (failure.code === 'cancelled') throw error;
      return { model: definition.name, status: 'failed', rows: 0, seconds: 0, notes: [], failure };
    }
  }
}

/** Builds the models that follow a pipeline, in the order of the project file. */
export async function runModelsAfter(models: readonly ModelDefinition[]): Promise<readonly ModelReport[]> {
  const reports: ModelReport[] = [];
  for (const definition of models) reports.push(await runModel(definition));
  return reports;
}
