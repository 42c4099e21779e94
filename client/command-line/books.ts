import type { Books } from '../../connectors/connector.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { PipelineDefinition } from '../../schema/definition.ts';
import { openInProcess, type InProcess } from './in-process.ts';
import { named, type OpenProject } from './project.ts';
import { findServers } from './servers.ts';

/** The pipeline of a name; throws `config` for a model or sync, which have no streams. */
export function pipelineOf(project: OpenProject, name: string): PipelineDefinition {
  const { runnable } = named(project, name);
  if (runnable.kind === 'pipeline') return runnable.definition;
  const models = runnable.kind === 'sync' ? runnable.definition.model : runnable.definition;
  throw new MillraceError(
    'config',
    `${name} is a ${runnable.kind}: it has no streams of its own. Its pipelines: ${models.after.join(', ')}.`,
  );
}

/** Opens the books of a pipeline's warehouse in this process, for as long as the work takes. */
export async function withBooks<T>(
  project: OpenProject,
  pipeline: PipelineDefinition,
  signal: AbortSignal,
  work: (books: Books, attempt: InProcess['attempt']) => Promise<T>,
): Promise<T> {
  await findServers(project);
  await using inProcess = await openInProcess('books', signal);
  await using warehouse = await inProcess.dependencies.openWarehouse(pipeline.to);
  return await work(warehouse.books, inProcess.attempt);
}
