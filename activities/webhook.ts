import { cancellationSignal, heartbeat } from '@temporalio/activity';
import type { Change } from '../connectors/gateway-books.ts';
import { MillraceError } from '../schema/errors.ts';
import type { OutgoingWebhook, Posted } from '../schema/webhook.ts';
import type { Dependencies } from './dependencies.ts';

export interface PostChangesInput {
  readonly webhook: OutgoingWebhook;
  readonly since: string;
}

/** What was told, up to the first change that wasn't taken. */
export interface PostedChanges {
  readonly taken: number;
  /** False when there was nothing left to tell. */
  readonly more: boolean;
  readonly refused?: { readonly changeId: string; readonly reason: string; readonly lasting: boolean; readonly retryAfter?: number };
}

const batch = 100;
/** Milliseconds after which a step ends and lets the workflow ask for the next. */
const longest = 20_000;

const placeOf = ({ project, name }: OutgoingWebhook) => ({ project, webhook: name });

/** The same for each attempt at a change; another warehouse, or one that was restored, gives another. */
const deliveryOf = (change: Change): string => `${change.id}-${Date.parse(change.at).toString(36)}`;

const bodyOf = (change: Change): string =>
  JSON.stringify({
    id: deliveryOf(change),
    type: 'committed',
    project: change.project,
    dataset: change.dataset,
    load: change.loadId,
    rows: change.rows,
    at: change.at,
  });

/** The delivery that a body was posted as. */
function deliveryIn(body: string): string {
  const parsed: unknown = JSON.parse(body);
  return typeof parsed === 'object' && parsed !== null && 'id' in parsed ? String(parsed.id) : '';
}

/** Posts; a connection that can't be used as this worker has it (a secret that isn't there) may be mended, so it is no lasting refusal. */
export async function postTo(deps: Dependencies, { to }: OutgoingWebhook, body: string): Promise<Posted> {
  try {
    return await deps.postChange(to, { delivery: deliveryIn(body), body }, cancellationSignal());
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return { kind: 'refused', reason: deps.scrub(error.message), lasting: false };
  }
}

/**
 * Posts changes in their order, and books each as taken before the next. Ends at the first that isn't taken. A repeat begins behind the last
 * one booked, so a change may be posted twice, never left out.
 */
export const createPostChanges = (deps: Dependencies) =>
  async function postChanges({ webhook, since }: PostChangesInput): Promise<PostedChanges> {
    await using books = await deps.openWebhookBooks(webhook.books);
    const end = Date.now() + longest;
    const changes = await books.next(placeOf(webhook), webhook.datasets, since, batch);
    let taken = 0;
    for (const change of changes) {
      if (Date.now() > end) break;
      heartbeat(change.id);
      const posted = await postTo(deps, webhook, bodyOf(change));
      if (posted.kind === 'refused') {
        const { kind: _, reason, ...rest } = posted;
        return { taken, more: true, refused: { changeId: change.id, reason: deps.scrub(reason), ...rest } };
      }
      await books.taken(placeOf(webhook), change.id);
      taken += 1;
    }
    return { taken, more: changes.length > 0 };
  };

export interface BuryChangeInput {
  readonly webhook: OutgoingWebhook;
  readonly changeId: string;
  readonly reason: string;
  readonly attempts: number;
}

/** Makes the webhook's next change a dead letter, so that those behind it can go on; one that is none any more stays as it is. */
export const createBuryChange = (deps: Dependencies) =>
  async function buryChange({ webhook, changeId, reason, attempts }: BuryChangeInput): Promise<void> {
    await using books = await deps.openWebhookBooks(webhook.books);
    const [change] = await books.next(placeOf(webhook), webhook.datasets, '0', 1);
    if (change?.id !== changeId) return;
    await books.bury(placeOf(webhook), { changeId, body: bodyOf(change), reason, attempts });
  };
