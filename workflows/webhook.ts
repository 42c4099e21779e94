import { condition, continueAsNew, defineQuery, defineSignal, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { PostedChanges } from '../activities/webhook.ts';
import type { OutgoingWebhook, Patience, WebhookRun } from '../schema/webhook.ts';
import { cell, foot } from './page.ts';
import { webhookSteps } from './steps.ts';

/** Something was committed that may be to be told; with the webhook as the project file has it now. */
const wake = defineSignal<[OutgoingWebhook]>('wake');

/** Why the next change waits; empty while nothing does. */
const remarkQuery = defineQuery<string>('remark');

type Refused = NonNullable<PostedChanges['refused']>;

/** The longest wait that an address may ask for. */
const longestWait = 6 * 3_600_000;

/** Milliseconds to wait after so many attempts: twice as long each time, and no less than the address asks for. */
export function waitAfter(attempts: number, patience: Patience, retryAfter: number | undefined): number {
  const own = Math.min(patience.first * 2 ** Math.min(attempts - 1, 30), patience.longest);
  return Math.max(own, Math.min(retryAfter ?? 0, longestWait));
}

function show({ name, to }: OutgoingWebhook, taken: number, buried: number, remark: string): void {
  setCurrentDetails(`**${name}** → ${to.name}: ${taken} taken, ${buried} dead letters${remark === '' ? '' : `\n\n${cell(remark)}`}${foot}`);
}

/**
 * Tells an address of the commits behind the webhook's cursor, in their order, and ends when there are no more. A change that isn't taken is tried
 * again, with durable waits, until it becomes a dead letter; the cursor moves only then, or when it is taken.
 */
export async function webhook({ webhook: first, since, trouble, gaveUp = false }: WebhookRun): Promise<void> {
  let given = first;
  let woken = false;
  let remark = '';
  setHandler(remarkQuery, () => remark);
  setHandler(wake, (latest) => {
    woken = true;
    // The same object stays the same: whoever waits sees by it that the project file has changed.
    if (JSON.stringify(latest) !== JSON.stringify(given)) given = latest;
  });
  let [taken, buried] = [0, 0];
  let state = { trouble, gaveUp };

  const meet = async ({ changeId, reason, lasting, retryAfter }: Refused): Promise<void> => {
    const { patience } = given;
    const attempts = (state.trouble?.changeId === changeId ? state.trouble.attempts : 0) + 1;
    if (attempts < (lasting || state.gaveUp ? patience.refusals : patience.attempts)) {
      state = { ...state, trouble: { changeId, attempts } };
      const wait = waitAfter(attempts, patience, retryAfter);
      const next = new Date(Date.now() + wait).toISOString();
      remark = `change ${changeId}: attempt ${attempts} failed, the next is at ${next}: ${reason}`;
      show(given, taken, buried, remark);
      const before = given;
      await condition(() => given !== before, wait);
      return;
    }
    await webhookSteps(given.heartbeatTimeout).buryChange.executeWithOptions({ summary: `change ${changeId} becomes a dead letter` }, [
      { webhook: given, changeId, reason, attempts },
    ]);
    buried += 1;
    state = { trouble: undefined, gaveUp: true };
  };

  for (;;) {
    woken = false;
    const posted = await webhookSteps(given.heartbeatTimeout).postChanges.executeWithOptions({ summary: `changes to ${given.to.name}` }, [
      { webhook: given, since },
    ]);
    taken += posted.taken;
    if (posted.taken > 0) state = { trouble: state.trouble, gaveUp: false };
    remark = '';
    show(given, taken, buried, remark);
    if (posted.refused !== undefined) await meet(posted.refused);
    // A signal may have come while the answer was on its way: asked once more, nothing is left behind.
    else if (!posted.more && !woken) return;
    if (workflowInfo().continueAsNewSuggested) {
      const { trouble: left, gaveUp: lost } = state;
      await continueAsNew<typeof webhook>({ webhook: given, since, gaveUp: lost, ...(left === undefined ? {} : { trouble: left }) });
    }
  }
}
