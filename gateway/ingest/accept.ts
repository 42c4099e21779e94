import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { eventLine } from '../../connectors/ingest/event-line.ts';
import type { Caller } from '../caller.ts';
import { Problem, type Detail } from '../problem.ts';
import { checkEvent } from './check-event.ts';
import { deliveryKey, eventId } from './event-ids.ts';
import type { Intake } from './intake.ts';
import { readBody, type PostedBody } from './read-body.ts';
import { Recent } from './recent.ts';

export interface Accepted {
  readonly accepted: number;
  /** Of ids that came before, lately; those of long ago are dropped when they are loaded. */
  readonly duplicates: number;
  /** By their place in the array, or their line, from 0; they are not stored, and all others are. */
  readonly rejected: readonly { readonly index: number; readonly errors: readonly Detail[] }[];
}

/** Ids that are remembered to be answered at once. */
const rememberedIds = 100_000;
const rememberedFor = 10 * 60_000;

interface Delivery {
  readonly hash: string;
  readonly answer: Promise<Accepted>;
}

const conflict = (): Problem =>
  new Problem(422, 'Idempotency key reused', 'This Idempotency-Key came before with another body; give each delivery its own.');

function refused({ rejected }: Accepted, batch: boolean): Problem {
  const errors = rejected.flatMap(({ index, errors: found }) =>
    found.map(({ at, message }) => ({ at: batch ? `/${index}${at}` : at, message })),
  );
  return new Problem(422, 'Events refused', 'No event is as the schema says; nothing was stored.', { errors: errors.slice(0, 100) });
}

/** Takes requests with events for one connection. */
export class Acceptor {
  readonly #intake: Intake;
  readonly #ids = new Recent<true>(rememberedIds, rememberedFor);
  readonly #deliveries = new Recent<Delivery>(rememberedIds / 10, rememberedFor);

  constructor(intake: Intake) {
    this.#intake = intake;
  }

  /** What became of the events, once they are on disk. Throws 400, 413, 415, 422 where none is taken, 503. */
  async accept(headers: IncomingHttpHeaders, body: Buffer, caller: Pick<Caller, 'id'>): Promise<Accepted> {
    const key = deliveryKey(this.#intake.settings, headers, caller);
    if (key === undefined) return await this.#take(readBody(headers['content-type'], body), undefined);
    const hash = createHash('sha256').update(body).digest('base64');
    const known = this.#deliveries.get(key);
    if (known !== undefined) return await this.#again(known, hash);
    const answer = this.#take(readBody(headers['content-type'], body), key);
    this.#deliveries.set(key, { hash, answer });
    try {
      return await answer;
    } catch (error) {
      this.#deliveries.delete(key);
      throw error;
    }
  }

  async #again({ hash, answer }: Delivery, given: string): Promise<Accepted> {
    if (hash !== given) throw conflict();
    const { accepted, duplicates, rejected } = await answer;
    return { accepted: 0, duplicates: accepted + duplicates, rejected };
  }

  async #take(body: PostedBody, delivery: string | undefined): Promise<Accepted> {
    const { ids, lines, ...counts } = await this.#sort(body, delivery);
    const answer: Accepted = { accepted: lines.length, ...counts };
    if (answer.accepted + answer.duplicates === 0 && answer.rejected.length > 0) throw refused(answer, body.batch);
    if (lines.length > 0) await this.#intake.store(Buffer.from(`${lines.join('\n')}\n`));
    for (const id of ids) this.#ids.set(id, true);
    return answer;
  }

  async #sort({ events, batch }: PostedBody, delivery: string | undefined) {
    const { settings } = this.#intake;
    const schema = await this.#intake.schema();
    const receivedAt = new Date().toISOString();
    const ids = new Set<string>();
    const lines: string[] = [];
    const rejected: { index: number; errors: readonly Detail[] }[] = [];
    let duplicates = 0;
    for (const event of events) {
      const { index } = event;
      const checked = checkEvent(event, schema, settings.key);
      if ('errors' in checked) {
        rejected.push({ index, errors: checked.errors });
        continue;
      }
      const id = checked.id ?? eventId(settings, event.value, { delivery, batch, index });
      if (ids.has(id) || this.#ids.get(id) === true) {
        duplicates += 1;
        continue;
      }
      ids.add(id);
      lines.push(eventLine({ id, receivedAt, text: event.text }));
    }
    return { ids, lines, duplicates, rejected };
  }
}
