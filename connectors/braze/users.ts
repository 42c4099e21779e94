import type { ApplicationRequest, Batch, Outcome, OutgoingRow } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { customAttributes, userFields } from './describe.ts';
import { type Identity, identifierOf, identifiers, identityOf } from './identity.ts';
import { type BrazeObject, refusalOf } from './object.ts';
import type { BrazeWriteOptions } from './settings.ts';
import { track, trackBytes, trackObjects, type TrackObject } from './track.ts';
import { outcomesOf, post, replyOf, type Workspace } from './workspace.ts';

const deletedTogether = 50;
const unreadable =
  'the custom attributes can not be read, so names of fields are not checked: give the key the permission custom_attributes.get';

/** User profiles and their attributes. Each attribute that is sent costs a data point. */
export function users(workspace: Workspace, request: ApplicationRequest, options: BrazeWriteOptions): BrazeObject {
  const identifier = (): ReturnType<typeof identifierOf> => identifierOf(request, workspace.name);
  const identify = (row: OutgoingRow): Identity | undefined => identityOf(row, identifier(), options.alias_label);
  const objectOf = (row: OutgoingRow, updateOnly: boolean): TrackObject => {
    const identity = identify(row);
    if (identity === undefined) return { refused: unidentified(identifier()) };
    const object = {
      // By alias Braze would only update unless it is told.
      _update_existing_only: updateOnly,
      ...(options.merge_objects === true ? { _merge_objects: true } : {}),
      ...row.fields,
      [identifier()]: identity,
    };
    return { object };
  };
  return {
    batchRows: trackObjects,
    batchBytes: trackBytes,
    writes: { upsert: 'upsert', update: 'upsert', delete: 'upsert' },
    changedOnly: true,
    costUnit: 'data points',
    probes: [
      { path: 'users/track', needs: ['upsert', 'update'], permission: 'users.track' },
      { path: 'users/delete', needs: ['delete'], permission: 'users.delete' },
    ],
    problem: async () => await refusalOf(identifier),
    warning: async (attempt) => {
      const refusal = await refusalOf(async () => await customAttributes(workspace, attempt));
      return refusal === undefined ? undefined : unreadable;
    },
    describe: async (attempt) => ({ fields: await userFields(workspace, attempt), closed: false }),
    send: async ({ operation, rows }: Batch, attempt: Attempt): Promise<readonly Outcome[]> => {
      if (operation === 'delete') return await remove(workspace, identifiers[identifier()].deleted, rows.map(identify), attempt);
      return await track(
        workspace,
        'attributes',
        rows.map((row) => objectOf(row, operation === 'update')),
        attempt,
      );
    },
  };
}

/** Why a row can't be sent. */
export const unidentified = (identifier: string): string =>
  identifier === 'user_alias'
    ? 'it has no user_alias: a text with the write option alias_label, or JSON with alias_name and alias_label'
    : `it has no ${identifier}`;

/** Deletes 50 users a request. A user that isn't there is deleted already; a second time does no harm. */
async function remove(
  workspace: Workspace,
  list: string,
  identities: readonly (Identity | undefined)[],
  attempt: Attempt,
): Promise<readonly Outcome[]> {
  const known = identities.filter((identity) => identity !== undefined);
  const parts = Array.from({ length: Math.ceil(known.length / deletedTogether) }, (_, no) =>
    known.slice(no * deletedTogether, (no + 1) * deletedTogether),
  );
  // At the same time, so that none of them begins late; and none is left behind when another fails.
  const settled = await Promise.allSettled(
    parts.map(async (part) => {
      const answer = await post(workspace, 'users/delete', { [list]: part }, false, attempt);
      return outcomesOf(workspace, replyOf(workspace, answer, list), part.length);
    }),
  );
  const outcomes = settled.flatMap((part) => {
    if (part.status === 'rejected') throw part.reason;
    return part.value;
  });
  return identities.map((identity) => {
    const outcome = identity === undefined ? undefined : outcomes.shift();
    return outcome ?? { status: 'rejected', reason: 'it names no user' };
  });
}
