import { ApplicationFailure, CancellationScope, continueAsNew, ContinueAsNew, log, uuid4, workflowInfo } from '@temporalio/workflow';
import type { Committed, Prepared } from '../schema/load.ts';
import type { GoingLoad, PartitionResult, PlanSummary, StreamReport, StreamRun } from '../schema/run.ts';
import { failureOf } from './failure.ts';
import { measureStream } from './measure.ts';
import { loadAgain, move } from './move.ts';
import { bookSteps, dataSteps, giveUpSteps } from './steps.ts';
import { trackStream, type Track } from './track.ts';

/** Loads that another load overtook, or whose staged files were lost, are planned again this often. */
const plans = 3;

async function begin(run: StreamRun, track: Track): Promise<GoingLoad> {
  const steps = dataSteps(run.pipeline.heartbeatTimeout);
  const { workflowId, runId } = workflowInfo();
  const loadId = uuid4();
  const startedAt = Date.now();
  track.update({ step: 'plan', loadId });
  const plan = await steps.plan.executeWithOptions({ summary: `plan ${run.part.stream}` }, [{ run, loadId, workflowId, runId }]);
  track.update({ step: 'prepare', notes: plan.notes });
  try {
    const prepared = await steps.prepare.executeWithOptions({ summary: `prepare ${track.report().target}` }, [plan.plan]);
    const notes = [...plan.notes, ...prepared.notes];
    track.update({ step: 'extract', notes });
    return { plan, epoch: prepared.epoch, table: prepared.table, notes, loaded: [], startedAt };
  } catch (error) {
    await giveUp(run, plan, undefined, [], failureOf(error).message);
    throw error;
  }
}

const preparedOf = (going: GoingLoad): Prepared => ({ epoch: going.epoch, table: going.table, notes: [] });

/** Lets a load go, whatever became of the run: its table must not stay. */
async function giveUp(
  run: StreamRun,
  plan: PlanSummary,
  going: GoingLoad | undefined,
  partitions: readonly PartitionResult[],
  reason: string,
): Promise<void> {
  const input = { plan: plan.plan, ...(going === undefined ? {} : { prepared: preparedOf(going) }), partitions, reason };
  const { giveUp: step } = giveUpSteps(run.pipeline.heartbeatTimeout);
  try {
    await CancellationScope.nonCancellable(() => step.executeWithOptions({ summary: `give up ${run.part.stream}` }, [input]));
  } catch (error) {
    log.warn('a load could not be given up; the next one removes its table', { error: failureOf(error).message });
  }
}

/** Commits; once more after loading again when the warehouse lost the load's table. */
async function commit(run: StreamRun, going: GoingLoad, partitions: readonly PartitionResult[]): Promise<Committed> {
  const steps = dataSteps(run.pipeline.heartbeatTimeout);
  const input = { plan: going.plan.plan, prepared: preparedOf(going), partitions };
  const once = (): Promise<Committed> => steps.commit.executeWithOptions({ summary: `commit ${run.part.stream}` }, [input]);
  try {
    return await once();
  } catch (error) {
    if (failureOf(error).code !== 'staging-lost') throw error;
    await steps.prepare.executeWithOptions({ summary: `prepare ${run.part.stream} again` }, [going.plan.plan]);
    await loadAgain(run, going, partitions);
    return await once();
  }
}

async function deliver(run: StreamRun, track: Track): Promise<StreamReport> {
  const going = run.going ?? (await begin(run, track));
  const loaded = [...going.loaded];
  let committed: Committed;
  try {
    if (!(await move(run, going, loaded, track))) await continueAsNew<typeof stream>({ ...run, going: { ...going, loaded } });
    track.update({ step: 'commit' });
    committed = await commit(run, going, loaded);
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    await giveUp(run, going.plan, going, loaded, failureOf(error).message);
    throw error;
  }
  const { version: _, notes, ...counts } = committed;
  track.update({ step: 'clean up', ...counts, notes: [...going.notes, ...notes] });
  try {
    await bookSteps.cleanUp.executeWithOptions({ summary: `clean up after ${run.part.stream}` }, [going.plan.plan]);
  } catch (error) {
    log.warn('staging was not cleaned up', { error: failureOf(error).message });
  }
  track.update({ status: 'loaded', step: '' });
  return track.report();
}

/** The same run from its plan on. */
function again({ pipeline, options, part }: StreamRun): StreamRun {
  return { pipeline, options, part };
}

/** One stream in one run: plan, prepare, extract, transform, load and commit. Fails with its report in the details. */
export async function stream(run: StreamRun): Promise<StreamReport> {
  const track = trackStream(run);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const report = await deliver(attempt === 1 ? run : again(run), track);
      measureStream(run.pipeline.name, report);
      return report;
    } catch (error) {
      if (error instanceof ContinueAsNew) throw error;
      const failure = failureOf(error);
      const overtaken = failure.code === 'fenced' || failure.code === 'conflict' || failure.code === 'staging-lost';
      if (overtaken && attempt < plans) continue;
      if (failure.code === 'cancelled') throw error;
      track.update({ status: 'failed', failure });
      measureStream(run.pipeline.name, track.report());
      throw ApplicationFailure.create({ message: failure.message, type: failure.code, nonRetryable: true, details: [track.report()] });
    }
  }
}
