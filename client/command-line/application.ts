import type { Application } from '../../connectors/application.ts';
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
export async function openApplication(
  { definitions }: OpenProject,
  connection: ConnectionDefinition,
  object: string | undefined,
  { dependencies }: InProcess,
): Promise<{ readonly application: Application } & AsyncDisposable> {
  const syncs = [...definitions.syncs.values()].map(({ definition }) => definition).filter(({ to }) => to.name === connection.name);
  const [sync] = syncs;
  const write = syncs.find((one) => one.object === object)?.write ?? {};
  await using stack = new AsyncDisposableStack();
  const { limits, tokens } = sync === undefined ? memoryStores() : stack.use(await dependencies.openSyncBooks(sync.state));
  const request = { object: object ?? anyObject, match: [], fields: [], write };
  const application = stack.use(await dependencies.openApplication(connection, request, { limits, tokens }));
  const kept = stack.move();
  return { application, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
