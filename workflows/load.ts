import { CancellationScope, ContinueAsNew, log, uuid4, workflowInfo } from '@temporalio/workflow';
import type { Committed } from '../schema/load.ts';
import type { GoingLoad, PartitionResult, PlanSummary, StreamRun } from '../schema/run.ts';
import { failureOf } from './failure.ts';
import { loadAgain, move, preparedOf } from './move.ts';
import { bookSteps, dataSteps, giveUpSteps } from './steps.ts';
import { noRows } from './stream-report.ts';
import type { Track } from './track.ts';

/** Loads that another load overtook, or whose staged files were lost, are planned again this often. */
const plans = 3;

/** What a load is for: the stream's rows, or its keys. */
export type Purpose = { readonly reconciles?: true };

/** Goes on with a load as a new run, because the history has got long; never returns. */
export type GoOn = (run: StreamRun) => Promise<unknown>;

async function begin(run: StreamRun, track: Track, purpose: Purpose): Promise<GoingLoad> {
  const steps = dataSteps(run.pipeline.heartbeatTimeout);
  const { workflowId, runId } = workflowInfo();
  const loadId = uuid4();
  const startedAt = Date.now();
  track.update({ step: 'plan', loadId });
  const input = { run, loadId, workflowId, runId, ...purpose };
  const plan = await steps.plan.executeWithOptions({ summary: `plan ${run.part.stream}` }, [input]);
  track.planned?.(plan);
  track.update({ step: 'prepare', notes: plan.notes });
  if (plan.idle) return { plan, epoch: 0, table: '', notes: plan.notes, loaded: [], startedAt };
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

const nothingCommitted: Committed = { ...noRows, version: 0, notes: [] };

/** One load from its plan to its commit, and the removal of what it staged. A run whose history got long goes on as a new one. */
async function deliver(run: StreamRun, track: Track, purpose: Purpose, goOn: GoOn): Promise<Committed> {
  const going = run.going ?? (await begin(run, track, purpose));
  const committed = going.plan.idle ? nothingCommitted : await carry(run, going, track, goOn);
  track.update({ step: 'clean up' });
  try {
    await bookSteps.cleanUp.executeWithOptions({ summary: `clean up after ${run.part.stream}` }, [going.plan.plan]);
  } catch (error) {
    log.warn('staging was not cleaned up', { error: failureOf(error).message });
  }
  return { ...committed, notes: [...going.notes, ...committed.notes] };
}

async function carry(run: StreamRun, going: GoingLoad, track: Track, goOn: GoOn): Promise<Committed> {
  const loaded = [...going.loaded];
  try {
    if (!(await move(run, going, loaded, track))) await goOn({ ...run, going: { ...going, loaded } });
    track.update({ step: 'commit' });
    return await commit(run, going, loaded);
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    track.update({ loaded: 0 });
    await giveUp(run, going.plan, going, loaded, failureOf(error).message);
    throw error;
  }
}

/** Does a load, and does it again from its plan on when another load overtook it. */
export async function deliverAtLast(run: StreamRun, track: Track, purpose: Purpose, goOn: GoOn): Promise<Committed> {
  const { going: _, ...again } = run;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await deliver(attempt === 1 ? run : again, track, purpose, goOn);
    } catch (error) {
      if (error instanceof ContinueAsNew) throw error;
      const { code } = failureOf(error);
      const overtaken = code === 'fenced' || code === 'conflict' || code === 'staging-lost';
      if (!overtaken || attempt === plans) throw error;
    }
  }
}
