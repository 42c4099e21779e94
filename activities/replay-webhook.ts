import type { OutgoingWebhook, Posted } from '../schema/webhook.ts';
import type { Dependencies } from './dependencies.ts';
import { postTo } from './webhook.ts';

export interface ReplayLetterInput {
  readonly webhook: OutgoingWebhook;
  readonly changeId: string;
}

/** Posts a dead letter again, as it was posted before, and books it when it is taken. One that was taken already, or isn't there, counts as taken. */
export const createReplayLetter = (deps: Dependencies) =>
  async function replayLetter({ webhook, changeId }: ReplayLetterInput): Promise<Posted> {
    const { project, name } = webhook;
    await using books = await deps.openWebhookBooks(webhook.books);
    const [letter] = await books.letters({ project, webhook: name, changeIds: [changeId], open: true, limit: 1 });
    if (letter === undefined) return { kind: 'taken' };
    const posted = await postTo(deps, webhook, letter.body);
    if (posted.kind === 'refused') return { ...posted, reason: deps.scrub(posted.reason) };
    await books.replayed({ project, webhook: name }, changeId);
    return posted;
  };
