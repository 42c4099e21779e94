import { setCurrentDetails, sleep } from '@temporalio/workflow';
import type { Posted, ReplayReport, ReplayRun } from '../schema/webhook.ts';
import { foot } from './page.ts';
import { webhookSteps } from './steps.ts';
import { waitAfter } from './webhook.ts';

/** Posts dead letters of a webhook again, in their order; each is tried a few times, and stays a dead letter when it isn't taken. */
export async function replay({ webhook, changeIds }: ReplayRun): Promise<ReplayReport> {
  const { patience, name, to } = webhook;
  const steps = webhookSteps(webhook.heartbeatTimeout);
  const taken: string[] = [];
  const refused: { changeId: string; reason: string }[] = [];
  const tryOnce = async (changeId: string): Promise<Posted> =>
    await steps.replayLetter.executeWithOptions({ summary: `change ${changeId} to ${to.name}, again` }, [{ webhook, changeId }]);
  for (const changeId of changeIds) {
    let posted = await tryOnce(changeId);
    for (let attempts = 1; posted.kind === 'refused' && !posted.lasting && attempts < patience.refusals; attempts += 1) {
      await sleep(waitAfter(attempts, patience, posted.retryAfter));
      posted = await tryOnce(changeId);
    }
    if (posted.kind === 'taken') taken.push(changeId);
    else refused.push({ changeId, reason: posted.reason });
    setCurrentDetails(`**${name}**: ${taken.length} of ${changeIds.length} taken, ${refused.length} refused${foot}`);
  }
  return { taken, refused };
}
