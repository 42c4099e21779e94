import { randomUUID } from 'node:crypto';
import type { Effect, FakeAnswer, FakeRequest, Vendor } from './fake.ts';

type Fields = Record<string, unknown>;
type RecordEffect = (effect: Omit<Effect, 'at'>) => void;

interface Profile {
  readonly id: string;
  readonly fields: Fields;
}

/** A custom attribute as the export names it. */
export interface BrazeAttribute {
  readonly name: string;
  readonly data_type: string;
  readonly status: 'Active' | 'Blocklisted';
}

export interface BrazeOptions {
  readonly apiKey?: string;
  /** Ids of the subscription groups that there are. */
  readonly subscriptionGroups?: readonly string[];
  readonly attributes?: readonly BrazeAttribute[];
  /** Requests that the key has no permission for, by path. */
  readonly forbidden?: readonly string[];
}

const identifiers = ['external_id', 'braze_id', 'user_alias', 'email', 'phone'] as const;
const subscribers = ['external_id', 'email', 'phone'] as const;
const plurals = {
  external_id: 'external_ids',
  braze_id: 'braze_ids',
  user_alias: 'user_aliases',
  email: 'email_addresses',
  phone: 'phone_numbers',
} as const;
/** Braze tells dates apart by their form: ISO 8601 with a time and a zone. */
const eventTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

const answer = (status: number, message: string, more: object = {}): FakeAnswer => ({ status, body: { message, ...more } });
const listOf = (value: unknown): readonly Fields[] => (Array.isArray(value) ? (value as Fields[]) : []);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const isTime = (value: unknown): boolean => typeof value === 'string' && eventTime.test(value) && !Number.isNaN(Date.parse(value));

/** What is wrong with one object of a request; undefined when nothing is. */
function problemOf(array: 'attributes' | 'events', item: Fields): string | undefined {
  if (Buffer.byteLength(JSON.stringify(item)) > 100 * 1024) return 'The object is larger than 100 KB';
  const given = identifiers.filter((name) => item[name] !== undefined && item[name] !== null && item[name] !== '');
  if (given.length === 0) return "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required";
  if (array === 'attributes') return 'email' in item && !validEmail(item['email']) ? "'email' is not a valid email address" : undefined;
  if (typeof item['name'] !== 'string' || item['name'] === '') return "'name' is required";
  return isTime(item['time']) ? undefined : "'time' is not a valid ISO 8601 time";
}

const validEmail = (value: unknown): boolean => value === null || (typeof value === 'string' && /^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(value));

/**
 * Braze: `/users/track` with 75 objects and 4 MB a request, 201 with errors by the index in their sub-array, `/users/delete`,
 * subscription groups, and the export of custom attributes by pages of 50.
 */
export class Braze implements Vendor {
  readonly name = 'braze';
  readonly apiKey: string;
  private readonly options: BrazeOptions;
  private readonly profiles = new Map<string, Profile>();
  private readonly index = new Map<string, Profile>();
  private readonly events: Fields[] = [];
  private readonly members = new Map<string, Set<string>>();
  private readonly attributes: BrazeAttribute[];

  constructor(options: BrazeOptions = {}) {
    this.options = options;
    this.apiKey = options.apiKey ?? 'braze-key';
    this.attributes = [...(options.attributes ?? [])];
    for (const group of options.subscriptionGroups ?? []) this.members.set(group, new Set());
  }

  records(): ReadonlyMap<string, readonly Fields[]> {
    const groups = [...this.members].map(([group, ids]): [string, Fields[]] => [
      `subscription_groups/${group}`,
      [...ids].map((id) => ({ ...this.profiles.get(id)?.fields })),
    ]);
    return new Map([['users', [...this.profiles.values()].map((profile) => profile.fields)], ['events', this.events], ...groups]);
  }

  throttled(wait: number): FakeAnswer {
    const reset = Math.ceil((Date.now() + wait) / 1000);
    return {
      ...answer(429, 'Rate limit exceeded'),
      headers: { 'x-ratelimit-limit': '250000', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(reset) },
    };
  }

  handle(request: FakeRequest, record: RecordEffect): FakeAnswer {
    const refused = request.headers['authorization'] !== `Bearer ${this.apiKey}` || this.options.forbidden?.includes(request.path);
    if (refused) return answer(401, 'Invalid API key or the key lacks the permission');
    if (request.method === 'GET') return request.path === '/custom_attributes' ? this.page(request) : answer(404, 'Not found');
    if (Buffer.byteLength(request.text) > 4 * 1024 * 1024) return answer(413, 'Request entity too large');
    if (typeof request.body !== 'object' || request.body === null) return answer(400, 'The request body is not valid JSON');
    return this.post(request.path, request.body as Fields, record);
  }

  /** A profile made by somebody else. */
  add(fields: Fields): void {
    const id = randomUUID();
    this.keep({ id, fields: { braze_id: id, ...fields } });
  }

  /** A subscription made by somebody else. */
  subscribe(group: string, externalId: unknown): void {
    const { profile } = this.find({ external_id: externalId });
    if (profile !== undefined) this.members.get(group)?.add(profile.id);
  }

  private post(path: string, body: Fields, record: RecordEffect): FakeAnswer {
    if (path === '/users/track') return this.track(body, record);
    if (path === '/users/delete') return this.delete(body, record);
    if (path === '/v2/subscription/status/set') return this.subscribeAll(body, record);
    return answer(404, 'Not found');
  }

  private track(body: Fields, record: RecordEffect): FakeAnswer {
    const attributes = listOf(body['attributes']);
    const events = listOf(body['events']);
    const count = attributes.length + events.length;
    if (count > 75) return answer(400, 'The total number of attributes, events and purchases may not exceed 75');
    const errors: { type: string; input_array: string; index: number }[] = [];
    const good = (array: 'attributes' | 'events', items: readonly Fields[]): readonly Fields[] =>
      items.filter((item, index) => {
        const type = problemOf(array, item);
        if (type !== undefined) errors.push({ type, input_array: array, index });
        return type === undefined;
      });
    const goodAttributes = good('attributes', attributes);
    const goodEvents = good('events', events);
    if (goodAttributes.length + goodEvents.length === 0) {
      return answer(400, "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields.", errors[0] ? { errors } : {});
    }
    for (const item of goodAttributes) this.write(item, record);
    for (const item of goodEvents) this.addEvent(item, record);
    return answer(201, 'success', {
      ...(attributes.length > 0 ? { attributes_processed: goodAttributes.length } : {}),
      ...(events.length > 0 ? { events_processed: goodEvents.length } : {}),
      ...(errors.length > 0 ? { errors } : {}),
    });
  }

  private find(item: Fields): { readonly by: string; readonly key: string; readonly profile: Profile | undefined } {
    const by = identifiers.find((name) => item[name] !== undefined && item[name] !== null) ?? 'external_id';
    const key = textOf(item[by]);
    const profile = this.index.get(`${by} ${key}`);
    return { by, key, profile: profile !== undefined && textOf(profile.fields[by]) === key ? profile : undefined };
  }

  private keep(profile: Profile): void {
    this.profiles.set(profile.id, profile);
    for (const name of identifiers) {
      if (profile.fields[name] !== undefined) this.index.set(`${name} ${textOf(profile.fields[name])}`, profile);
    }
  }

  private drop(profile: Profile): void {
    this.profiles.delete(profile.id);
    for (const name of identifiers) this.index.delete(`${name} ${textOf(profile.fields[name])}`);
    for (const members of this.members.values()) members.delete(profile.id);
  }

  private write(item: Fields, record: RecordEffect): void {
    const { by, key, profile: found } = this.find(item);
    const { _update_existing_only: updateOnly = by === 'user_alias', ...fields } = item;
    if (found === undefined && (updateOnly === true || by === 'braze_id')) return;
    const id = randomUUID();
    const profile = found ?? { id, fields: { braze_id: id, [by]: item[by] } };
    for (const [name, value] of Object.entries(fields)) {
      if (value === null) delete profile.fields[name];
      else profile.fields[name] = value;
    }
    this.keep(profile);
    record({ operation: found === undefined ? 'create' : 'update', object: 'users', id: profile.id, key, fields });
  }

  private addEvent(item: Fields, record: RecordEffect): void {
    const { by, key, profile } = this.find(item);
    if (profile === undefined && item['_update_existing_only'] === true) return;
    if (profile === undefined) {
      const id = randomUUID();
      this.keep({ id, fields: { braze_id: id, [by]: item[by] } });
    }
    this.events.push(item);
    record({ operation: 'event', object: 'events', id: String(this.events.length), key, fields: item });
  }

  private delete(body: Fields, record: RecordEffect): FakeAnswer {
    const given = identifiers.filter((name) => body[plurals[name]] !== undefined);
    const [by] = given;
    if (by === undefined || given.length > 1) return answer(400, 'Exactly one kind of identifier must be provided');
    const values = body[plurals[by]] as readonly unknown[];
    if (values.length > 50) return answer(400, 'At most 50 users can be deleted in a request');
    const found = values.map((value) => this.find({ [by]: value })).filter(({ profile }) => profile !== undefined);
    for (const { key, profile } of found) {
      if (profile === undefined) continue;
      this.drop(profile);
      record({ operation: 'delete', object: 'users', id: profile.id, key, fields: {} });
    }
    return answer(201, 'success', { deleted: found.length });
  }

  private subscribeAll(body: Fields, record: RecordEffect): FakeAnswer {
    const changes = listOf(body['subscription_groups']);
    if (changes.length === 0) return answer(400, "'subscription_groups' must be provided");
    const problem = changes.map((change) => this.subscriptionProblem(change)).find((found) => found !== undefined);
    if (problem !== undefined) return answer(400, problem);
    for (const change of changes) this.changeGroup(change, record);
    return answer(201, 'success');
  }

  private subscriptionProblem(change: Fields): string | undefined {
    if (!this.members.has(String(change['subscription_group_id']))) return 'The subscription group was not found';
    const state = change['subscription_state'];
    if (state !== 'subscribed' && state !== 'unsubscribed') return "'subscription_state' is not valid";
    const given = subscribers.flatMap((by) => listOf(change[`${by}s`]));
    if (given.length === 0) return "One of 'external_ids', 'emails' or 'phones' is required";
    return given.length > 50 ? 'At most 50 users can be changed in a request' : undefined;
  }

  private changeGroup(change: Fields, record: RecordEffect): void {
    const group = this.members.get(String(change['subscription_group_id'])) ?? new Set();
    const object = `subscription_groups/${String(change['subscription_group_id'])}`;
    const operation = change['subscription_state'] === 'subscribed' ? 'add' : 'remove';
    for (const [by, value] of subscribers.flatMap((name) => listOf(change[`${name}s`]).map((item) => [name, item] as const))) {
      const { key, profile } = this.find({ [by]: value });
      if (profile === undefined || group.has(profile.id) === (operation === 'add')) continue;
      if (operation === 'add') group.add(profile.id);
      else group.delete(profile.id);
      record({ operation, object, id: profile.id, key, fields: {} });
    }
  }

  private page(request: FakeRequest): FakeAnswer {
    const cursor = request.query.get('cursor');
    const skip = cursor === null ? 0 : Number(Buffer.from(cursor, 'base64').toString().replace('skip:', ''));
    const next = Buffer.from(`skip:${skip + 50}`).toString('base64');
    const link = `<http://${request.headers['host'] ?? ''}/custom_attributes?cursor=${encodeURIComponent(next)}>; rel="next"`;
    return {
      ...answer(200, 'success', { attributes: this.attributes.slice(skip, skip + 50) }),
      headers: skip + 50 < this.attributes.length ? { link } : {},
    };
  }
}
