import { activityInfo } from '@temporalio/activity';
import type { Attempt, ReadPages } from '../connectors/connector.ts';
import type { StagedFile } from '../schema/load.ts';
import type { StagedPart } from '../schema/run.ts';
import { currentAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';
import { folderOf, partitionOf, readPlan, toPart } from './plan-file.ts';
import { readRetry } from './read-retry.ts';

export interface ExtractInput {
  readonly plan: StagedFile;
  readonly no: number;
}

/** Streams a source's pages into one staged file, counting rows. */
async function stage(deps: Dependencies, name: string, read: ReadPages, attempt: Attempt): Promise<StagedFile> {
  let rows = 0;
  async function* bytes(): AsyncIterable<Uint8Array> {
    for await (const page of read.pages) {
      rows = page.rows;
      if (page.bytes.length > 0) yield page.bytes;
    }
  }
  return await deps.staging.write(name, read.format, bytes(), () => rows, attempt.signal);
}

/** Reads one partition into staging, under a name of its attempt, so that an attempt that was given up can't change another's file. */
export const createExtract = (deps: Dependencies) =>
  async function extract(input: ExtractInput): Promise<StagedPart> {
    const plan = await readPlan(deps.staging, input.plan);
    const { load, pipeline, source, stream } = plan;
    const attempt = currentAttempt(load.id, 'extract', input.no);
    const name = `${folderOf(load)}/extract-${input.no}-${activityInfo().attempt}`;
    if (load.retries !== undefined) {
      await using warehouse = await deps.openWarehouse(pipeline.to);
      return toPart(await stage(deps, name, readRetry(warehouse.books, plan, input.no, attempt), attempt));
    }
    await using opened = await deps.openSource(pipeline.from, pipeline.project);
    const taken = load.definition.transform.slice(0, source.stepsTaken);
    const read = await opened.read(
      { definition: load.definition, stream, plan: source, steps: taken, partition: partitionOf(plan, input.no) },
      attempt,
    );
    return toPart(await stage(deps, name, read, attempt));
  };
