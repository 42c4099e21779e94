import type { Dependencies } from './dependencies.ts';

/** Names the run that a stream's or model's workflow id is busy with. */
export const createFindRun = (deps: Dependencies) =>
  async function findRun(workflowId: string): Promise<{ workflowId: string; runId: string } | null> {
    return (await deps.findRun(workflowId)) ?? null;
  };
