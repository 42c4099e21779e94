import type { SyncBooks } from '../../connectors/sync-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import type { SyncOptions } from '../../schema/sync.ts';
import { count } from '../display/text.ts';
import { Unsuccessful } from './failure.ts';
import type { InProcess } from './in-process.ts';
import type { Output } from './output.ts';
import type { OpenProject } from './project.ts';
import { confirm } from './question.ts';
import { withSyncBooks } from './sync-books.ts';

/** What a person said about a run of a sync. */
export interface SyncFlags {
  readonly full?: true | undefined;
  readonly retry?: true | undefined;
  readonly resend?: true | undefined;
  readonly unknown?: SyncOptions['unknown'];
  readonly yes?: true | undefined;
}

export interface Asking {
  readonly project: OpenProject;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/**
 * The options of a run, after the question that a changed mapping raises. Throws `Unsuccessful` when the answer was no, `config` where
 * there is no terminal to ask.
 */
export async function syncOptionsOf(sync: SyncDefinition, flags: SyncFlags, asking: Asking): Promise<Omit<SyncOptions, 'trigger'>> {
  const { full = false, retry = false, unknown } = flags;
  const options = { full, retry, ...(unknown === undefined ? {} : { unknown }) };
  if (full || flags.resend === true) return { ...options, resend: true };
  if (sync.mappingChange === 'resend') return { ...options, resend: false };
  const change = await mappingChange(sync, asking);
  if (change === undefined) return { ...options, resend: false };
  const question = `The mapping of ${sync.name} has changed (${change.difference}): up to ${count(change.rows)} rows that were acknowledged would be sent again.`;
  if (!(await confirm(question, flags.yes === true))) throw new Unsuccessful();
  return { ...options, resend: true };
}

/** Where the application writes to; unknown where its secrets aren't here. The run asks again. */
async function identityOf(sync: SyncDefinition, dependencies: InProcess['dependencies'], books: SyncBooks): Promise<string | undefined> {
  const { object, write } = sync;
  const request = { object, match: sync.match.map(({ field }) => field), fields: sync.map.map(({ field }) => field), write };
  try {
    await using application = await dependencies.openApplication(sync.to, request, { limits: books.limits, tokens: books.tokens });
    return application.identity;
  } catch (error) {
    if (error instanceof MillraceError) return undefined;
    throw error;
  }
}

/** Books that can't be read from here don't hold a run up: it refuses by itself to send rows again. */
async function mappingChange(sync: SyncDefinition, { project, output, signal }: Asking) {
  try {
    return await withSyncBooks(project, sync, signal, async (books, attempt, dependencies) => {
      const identity = await identityOf(sync, dependencies, books);
      return await books.mappingChange(sync, identity, attempt);
    });
  } catch (error) {
    if (!(error instanceof MillraceError) || (error.code !== 'unavailable' && error.code !== 'auth')) throw error;
    output.note(`The books of ${sync.name} can't be read from here, so nobody knows yet whether its mapping has changed: ${error.message}`);
    return undefined;
  }
}
