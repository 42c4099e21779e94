import type { Change } from '../../connectors/gateway-books.ts';
import type { WebhookDefinition } from '../../schema/gateway-definition.ts';
import type { GatewayContext, Part } from '../context.ts';

/** Milliseconds: how soon a webhook is woken after a change, once for all of that time, and how long after a failure. */
const times = { gather: 100, first: 1_000, longest: 30_000 };

/** Whether a webhook is told of commits to a dataset. */
const tellsOf = ({ datasets }: Pick<WebhookDefinition, 'datasets'>, dataset: string): boolean =>
  datasets.some(
    (pattern) => pattern === '*.*' || pattern === dataset || (pattern.endsWith('.*') && dataset.startsWith(pattern.slice(0, -1))),
  );

/** Wakes the workflows of outgoing webhooks: at the start, for what was missed meanwhile, and when something was committed that they tell of. */
export const wakeWebhooksPart: Part = (server, context) => {
  const wakers = context.definition.webhooks.map((webhook) => ({ webhook, waker: new Waker(webhook.name, context) }));
  const stop = context.changes.onChange(({ dataset }: Change) => {
    for (const { webhook, waker } of wakers) if (tellsOf(webhook, dataset)) waker.wake();
  });
  for (const { waker } of wakers) waker.wake();
  server.addHook('onClose', (_, done) => {
    stop();
    for (const { waker } of wakers) waker[Symbol.dispose]();
    done();
  });
};

/** Wakes one webhook, one call at a time, and again until it could be done: whatever comes meanwhile is one more call at most. */
class Waker implements Disposable {
  readonly #name: string;
  readonly #context: Pick<GatewayContext, 'runs' | 'log'>;
  #timer: NodeJS.Timeout | undefined;
  #wait = times.first;
  #isUnderWay = false;
  #isWanted = false;
  #isClosed = false;

  constructor(name: string, context: Pick<GatewayContext, 'runs' | 'log'>) {
    this.#name = name;
    this.#context = context;
  }

  wake(): void {
    this.#isWanted = true;
    this.#schedule(times.gather);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #schedule(wait: number): void {
    if (this.#isClosed || this.#isUnderWay || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#call();
    }, wait);
  }

  async #call(): Promise<void> {
    this.#isUnderWay = true;
    this.#isWanted = false;
    let wait = times.gather;
    try {
      await this.#context.runs.wakeWebhook(this.#name);
      this.#wait = times.first;
    } catch (error) {
      this.#isWanted = true;
      wait = this.#wait;
      this.#wait = Math.min(this.#wait * 2, times.longest);
      const reason = error instanceof Error ? error.message : String(error);
      this.#context.log.warn({ webhook: this.#name, reason }, 'a webhook could not be woken; it is tried again');
    }
    this.#isUnderWay = false;
    if (this.#isWanted) this.#schedule(wait);
  }
}
