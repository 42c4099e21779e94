import type { Standing } from '../schema/watch.ts';
import type { Dependencies } from './dependencies.ts';

/** When a pipeline last succeeded, and what its runs under way wait for. */
export const createFindStanding = (deps: Dependencies) =>
  async function findStanding(pipeline: { readonly project: string; readonly name: string }): Promise<Standing> {
    return await deps.findStanding(pipeline.project, pipeline.name);
  };
