import { createHash, randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { IngestSettings } from '../../connectors/ingest/settings.ts';
import type { Caller } from '../caller.ts';
import { badRequest } from '../problem.ts';

/** Two callers may give the same name to deliveries of their own; those that a signature stands for are one sender. */
const markOf = ({ id }: Pick<Caller, 'id'>): string =>
  id.startsWith('signed:') ? '' : `${createHash('sha256').update(id).digest('hex').slice(0, 16)}/`;

/**
 * What marks a delivery of this caller, as senders do it by headers: the standard one, and that of the vendor whose signature is checked.
 * Throws 400.
 */
export function deliveryKey({ verify }: IngestSettings, headers: IncomingHttpHeaders, caller: Pick<Caller, 'id'>): string | undefined {
  const given = headers['idempotency-key'] ?? (verify?.kind === 'github' ? headers['x-github-delivery'] : undefined);
  if (given === undefined) return undefined;
  if (typeof given === 'string' && /^[\x21-\x7e][\x20-\x7e]{0,254}$/.test(given)) return `${markOf(caller)}${given}`;
  throw badRequest([{ at: 'Idempotency-Key', message: 'must be 1 to 255 printable characters' }]);
}

const hubspotParts = ['portalId', 'subscriptionId', 'eventId', 'objectId', 'occurredAt'] as const;

/** The id that a vendor gives each event, which stays the same when it is delivered again. */
function vendorId({ verify }: IngestSettings, value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const members = new Map(Object.entries(value));
  if (verify?.kind === 'stripe') {
    const id: unknown = members.get('id');
    return typeof id === 'string' && id !== '' ? id : undefined;
  }
  if (verify?.kind !== 'hubspot' || !members.has('eventId')) return undefined;
  return hubspotParts.map((part) => String(members.get(part) ?? '')).join('/');
}

/** The id of an event whose connection has no key: the vendor's, or the delivery's with its place in the batch, or one of its own. */
export function eventId(
  settings: IngestSettings,
  value: unknown,
  { delivery, batch, index }: { readonly delivery: string | undefined; readonly batch: boolean; readonly index: number },
): string {
  const given = vendorId(settings, value);
  if (given !== undefined) return given;
  if (delivery === undefined) return randomUUID();
  return batch ? `${delivery}/${index}` : delivery;
}
