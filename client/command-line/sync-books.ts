import type { Attempt } from '../../connectors/connector.ts';
import type { SyncBooks } from '../../connectors/sync-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import { suggestion } from '../project/finding.ts';
import { openInProcess, type InProcess } from './in-process.ts';
import type { OpenProject } from './project.ts';
import { findServers } from './servers.ts';

/** The sync of a name; throws `config` with the nearest name. */
export function syncOf({ definitions, name: project }: OpenProject, name: string): SyncDefinition {
  const found = definitions.syncs.get(name);
  if (found !== undefined) return found.definition;
  const known = [...definitions.syncs.keys()];
  throw new MillraceError('config', `The project ${project} has no sync "${name}".${suggestion(name, known)}`);
}

/** Opens the books of a sync in this process, for as long as the work takes. */
export async function withSyncBooks<T>(
  project: OpenProject,
  sync: SyncDefinition,
  signal: AbortSignal,
  work: (books: SyncBooks, attempt: Attempt, dependencies: InProcess['dependencies']) => Promise<T>,
): Promise<T> {
  await findServers(project);
  await using inProcess = await openInProcess('books', signal);
  await using books = await inProcess.dependencies.openSyncBooks(sync.state);
  return await work(books, inProcess.attempt, inProcess.dependencies);
}
