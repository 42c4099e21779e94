import type { Checked, CheckRun } from '../schema/check.ts';
import { limit } from './limit.ts';
import { checkSteps } from './steps.ts';

/** Asks every connection, then every pipeline and sync, on a worker: that is where secrets and networks are. */
export async function check({ connections, pipelines, syncs }: CheckRun): Promise<readonly Checked[]> {
  const inTurn = limit(4);
  const checked = await Promise.all(
    connections.map((input) =>
      inTurn(() => checkSteps.checkConnection.executeWithOptions({ summary: `check ${input.role} ${input.connection.name}` }, [input])),
    ),
  );
  const broken = new Set(checked.filter(({ problems }) => problems.length > 0).map(({ name }) => name));
  const reachable = pipelines.filter(({ from }) => !broken.has(from.name));
  const through = await Promise.all(
    reachable.map((pipeline) =>
      inTurn(() => checkSteps.checkPipeline.executeWithOptions({ summary: `check pipeline ${pipeline.name}` }, [pipeline])),
    ),
  );
  const sendable = syncs.filter(({ warehouse }) => !broken.has(warehouse.name));
  const sent = await Promise.all(
    sendable.map((sync) => inTurn(() => checkSteps.checkSync.executeWithOptions({ summary: `check sync ${sync.name}` }, [sync]))),
  );
  return [...checked, ...through, ...sent];
}
