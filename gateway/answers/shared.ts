import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { GatewayLog } from '../context.ts';
import type { KeptAnswer } from './kept.ts';

/** What else is kept is made of it. */
type SharedAnswer = Omit<KeptAnswer, 'link'>;

/** Answers that gateways of the project share. It never fails: without the server there are none. */
export interface SharedAnswers {
  get(key: string): Promise<{ readonly answer: SharedAnswer; readonly ttl: number } | undefined>;
  set(key: string, answer: SharedAnswer, ttl: number): void;
}

/** Milliseconds: slower than this and asking the warehouse is as good. */
const patience = 100;
/** Milliseconds for which a server that failed isn't asked. */
const pause = 2000;
const largest = 1 << 20;

const format = ({ position, etag, body }: SharedAnswer): string => `${position}\n${etag}\n${body}`;

function parse(text: string): SharedAnswer | undefined {
  const match = /^(\d+)\n("[\w-]+")\n/.exec(text);
  const [head = '', position = '', etag = ''] = match ?? [];
  return match === null ? undefined : { position: BigInt(position), etag, body: text.slice(head.length) };
}

export function shareAnswers(redis: Redis, prefix: string, log: GatewayLog): SharedAnswers {
  let asksAgainAt = 0;
  let isDown = false;

  async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (Date.now() < asksAgainAt) return undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${patience} ms`)), patience);
      });
      const result = await Promise.race([work(), late]);
      if (isDown) log.info({}, 'Redis answers again: answers are shared');
      isDown = false;
      return result;
    } catch (error) {
      asksAgainAt = Date.now() + pause;
      if (!isDown)
        log.warn(
          { reason: error instanceof Error ? error.message : String(error) },
          'Redis does not answer: going on without shared answers',
        );
      isDown = true;
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  const nameOf = (key: string): string => `${prefix}:answer:${createHash('sha256').update(key).digest('base64url')}`;

  return {
    get: async (key) =>
      await attempt(async () => {
        const name = nameOf(key);
        const [text, ttl] = await Promise.all([redis.get(name), redis.pttl(name)]);
        const answer = text === null ? undefined : parse(text);
        return answer === undefined || ttl <= 0 ? undefined : { answer, ttl };
      }),
    set(key, answer, ttl) {
      if (answer.body.length > largest) return;
      void attempt(async () => await redis.set(nameOf(key), format(answer), 'PX', Math.max(1, Math.floor(ttl))));
    },
  };
}
