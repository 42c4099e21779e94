import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { LRUCache } from 'lru-cache';
import { badRequest } from '../problem.ts';

/** How long a repeat gets the answer of the first. */
const held = 10 * 60_000;

/** Headers by which senders name a delivery: the same for each time that they try. */
const deliveryHeaders = ['idempotency-key', 'x-github-delivery', 'webhook-id', 'millrace-delivery'];

/** What names a request, so that a repeat can be told; undefined where the sender gives nothing. */
export function repeatKey(kind: string | undefined, headers: IncomingHttpHeaders, body: Buffer): string | undefined {
  for (const name of deliveryHeaders) {
    const value = headers[name];
    if (typeof value !== 'string' || value === '') continue;
    if (value.length > 255) throw badRequest([{ at: name, message: 'must have at most 255 characters' }]);
    return `${name} ${value}`;
  }
  return kind === 'stripe' ? eventId(body) : undefined;
}

/** Stripe's id of an event is in its body. */
function eventId(body: Buffer): string | undefined {
  try {
    const event: unknown = JSON.parse(body.toString());
    return typeof event === 'object' && event !== null && 'id' in event && typeof event.id === 'string' ? `event ${event.id}` : undefined;
  } catch {
    return undefined;
  }
}

/** Answers of late by what named their requests. One that failed isn't kept: it may be tried again. */
export class Repeats<Answer extends object> {
  readonly #answers = new LRUCache<string, Promise<Answer>>({ max: 10_000, ttl: held });

  async once(parts: readonly string[], work: () => Promise<Answer>): Promise<{ readonly answer: Answer; readonly repeated: boolean }> {
    const key = createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
    const known = this.#answers.get(key);
    if (known !== undefined) return { answer: await known, repeated: true };
    const made = work();
    this.#answers.set(key, made);
    try {
      return { answer: await made, repeated: false };
    } catch (error) {
      if (this.#answers.peek(key) === made) this.#answers.delete(key);
      throw error;
    }
  }
}
