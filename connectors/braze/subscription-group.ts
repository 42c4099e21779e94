import { MillraceError } from '../../schema/errors.ts';
import type { ApplicationRequest, Batch, Outcome } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { plainField } from '../plain-field.ts';
import { identifierOf, identifiers, identityOf } from './identity.ts';
import { type BrazeObject, refusalOf } from './object.ts';
import { outcomesOf, post, replyOf, type Workspace } from './workspace.ts';

const path = 'v2/subscription/status/set';

/** Who is subscribed to a group: https://www.braze.com/docs/api/endpoints/subscription_groups/post_update_user_subscription_group_status_v2 */
export function subscriptionGroup(workspace: Workspace, request: ApplicationRequest, group: string): BrazeObject {
  const listName = (): string => {
    const name = identifiers[identifierOf(request, workspace.name)].subscribed;
    if (name !== undefined) return name;
    throw new MillraceError('config', `connection ${workspace.name}: subscription groups are matched by external_id, email or phone`);
  };
  const fields = (['external_id', 'email', 'phone'] as const).map((name) => plainField(name, 'string', { unique: true }));
  return {
    batchRows: 50,
    batchBytes: 1_000_000,
    writes: { add: 'upsert', remove: 'upsert' },
    changedOnly: false,
    probes: [{ path, needs: ['add', 'remove'], permission: 'subscription.status.set' }],
    problem: async () => await refusalOf(listName),
    describe: async () => ({ fields, closed: true }),
    send: async ({ operation, rows }: Batch, attempt: Attempt): Promise<readonly Outcome[]> => {
      const list = listName();
      const identities = rows.map((row) => identityOf(row, identifierOf(request, workspace.name), undefined));
      const known = identities.filter((identity) => identity !== undefined);
      const state = operation === 'add' ? 'subscribed' : 'unsubscribed';
      const change = { subscription_group_id: group, subscription_state: state, [list]: known };
      const answer = known.length === 0 ? undefined : await post(workspace, path, { subscription_groups: [change] }, false, attempt);
      const outcomes = answer === undefined ? [] : [...outcomesOf(workspace, replyOf(workspace, answer, list), known.length)];
      return identities.map((identity) => {
        const outcome = identity === undefined ? undefined : outcomes.shift();
        return outcome ?? { status: 'rejected', reason: 'it names no user' };
      });
    },
  };
}
