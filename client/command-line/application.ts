import type { Application, ApplicationContext } from '../../connectors/application.ts';
import { memoryStores } from '../../connectors/http/memory-stores.ts';
import type { ConnectionDefinition } from '../../schema/definition.ts';
import type { InProcess } from './in-process.ts';
import type { OpenProject } from './project.ts';

/** Something that every application opens, where only the names of its objects are asked for. */
const anyObject = 'contacts';

/**
 * Opens an application in this process to look at it. Tokens and limits are those of the books of a sync that writes there, so that a
 * refresh token that may be used once isn't used up; without such a sync they last as long as the command.
 */
export async function withApplication<T>(
  { definitions }: OpenProject,
  place: { readonly connection: ConnectionDefinition; readonly object?: string },
  { dependencies }: InProcess,
  work: (application: Application) => Promise<T>,
): Promise<T> {
  const { connection, object = anyObject } = place;
  const syncs = [...definitions.syncs.values()].map(({ definition }) => definition).filter(({ to }) => to.name === connection.name);
  const write = syncs.find((one) => one.object === object)?.write ?? {};
  const look = async (stores: Pick<ApplicationContext, 'limits' | 'tokens'>): Promise<T> => {
    const { limits, tokens } = stores;
    await using application = await dependencies.openApplication(connection, { object, match: [], fields: [], write }, { limits, tokens });
    return await work(application);
  };
  const [sync] = syncs;
  if (sync === undefined) return await look(memoryStores());
  await using books = await dependencies.openSyncBooks(sync.state);
  return await look(books);
}
