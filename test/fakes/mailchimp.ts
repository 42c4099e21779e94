import { createHash } from 'node:crypto';
import type { Effect, FakeAnswer, FakeRequest, Vendor } from './fake.ts';

type Fields = Record<string, unknown>;
type RecordEffect = (effect: Omit<Effect, 'at'>) => void;

interface Member {
  readonly id: string;
  fields: Fields;
  tags: Set<string>;
}

interface Audience {
  readonly members: Map<string, Member>;
  /** Deleted for good: their addresses can't come back by the API. */
  readonly forgotten: Set<string>;
  readonly segments: Map<string, Set<string>>;
}

export interface MailchimpOptions {
  readonly apiKey?: string;
  readonly lists?: readonly string[];
  /** Ids of static segments in each list. */
  readonly segments?: readonly string[];
}

const statuses = ['subscribed', 'unsubscribed', 'cleaned', 'pending', 'transactional'];
const mergeFields = [
  { tag: 'FNAME', name: 'First Name', type: 'text', required: false },
  { tag: 'SCORE', name: 'Score', type: 'number', required: false },
  { tag: 'PLAN', name: 'Plan', type: 'dropdown', required: false, options: { choices: ['free', 'pro'] } },
];

/** How Mailchimp names a member. */
export const hashOf = (address: string): string => createHash('md5').update(address.toLowerCase()).digest('hex');

const problem = (status: number, title: string, detail: string): FakeAnswer => ({
  status,
  body: { type: 'https://mailchimp.com/developer/marketing/docs/errors/', title, status, detail, instance: 'fake' },
});
const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? ''));
const notFound = problem(404, 'Resource Not Found', 'The requested resource could not be found.');
const isRecord = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Mailchimp's Marketing API: batches of 500 with errors by address, members by digest, tags and static segments. */
export class Mailchimp implements Vendor {
  readonly name = 'mailchimp';
  readonly apiKey: string;
  private readonly audiences = new Map<string, Audience>();

  constructor({ apiKey = 'mailchimp-key-us1', lists = ['42'], segments = ['7'] }: MailchimpOptions = {}) {
    this.apiKey = apiKey;
    for (const list of lists) {
      const made = segments.map((segment) => [segment, new Set<string>()] as const);
      this.audiences.set(list, { members: new Map(), forgotten: new Set(), segments: new Map(made) });
    }
  }

  /** Puts a member into a list, past the API. */
  add(list: string, fields: Fields): void {
    const address = textOf(fields['email_address']);
    const id = hashOf(address);
    this.audiences.get(list)?.members.set(id, { id, fields: { status: 'subscribed', ...fields }, tags: new Set() });
  }

  /** Puts a member into a segment, past the API. */
  addTo(list: string, segment: string, address: string): void {
    this.audiences.get(list)?.segments.get(segment)?.add(hashOf(address));
  }

  /** Puts a tag on a member, past the API. */
  tag(list: string, address: string, tag: string): void {
    this.audiences.get(list)?.members.get(hashOf(address))?.tags.add(tag);
  }

  records(): ReadonlyMap<string, readonly Fields[]> {
    const records = new Map<string, readonly Fields[]>();
    for (const [list, { members, segments }] of this.audiences) {
      records.set(
        `lists/${list}/members`,
        [...members.values()].map(({ id, fields, tags }) => ({ id, ...fields, tags: [...tags] })),
      );
      for (const [segment, ids] of segments) {
        records.set(
          `lists/${list}/segments/${segment}`,
          [...ids].map((id) => ({ id, ...members.get(id)?.fields })),
        );
      }
    }
    return records;
  }

  /** Too many at the same time: half of the times 403 from the edge, without JSON. */
  throttled(wait: number): FakeAnswer {
    return wait > 60_000
      ? { status: 403, body: 'Forbidden' }
      : problem(429, 'Too Many Requests', 'You have exceeded the limit of 10 simultaneous connections.');
  }

  handle(request: FakeRequest, record: RecordEffect): FakeAnswer {
    if (!this.isKnown(request.headers['authorization'] ?? '')) {
      return problem(401, 'API Key Invalid', "Your API key may be invalid, or you've attempted to access the wrong datacenter.");
    }
    const parts = request.path.split('/').slice(1).map(decodeURIComponent);
    const [root, list, kind, id, ...actions] = parts;
    if (root === 'ping') return { status: 200, body: { health_status: "Everything's Chimpy!" } };
    if (root !== 'lists') return notFound;
    return list === undefined ? this.lists() : this.inList(list, kind, id, actions, { request, record });
  }

  private lists(): FakeAnswer {
    return { status: 200, body: { lists: [...this.audiences.keys()].map((id) => ({ id })) } };
  }

  private inList(
    list: string,
    kind: string | undefined,
    id: string | undefined,
    actions: readonly string[],
    { request, record }: Pick<Call, 'request' | 'record'>,
  ): FakeAnswer {
    const audience = this.audiences.get(list);
    if (audience === undefined) return notFound;
    const below = kind === undefined ? [] : [kind, ...(id === undefined ? [] : [':id', ...actions])];
    const route = `${request.method} ${below.join('/')}`;
    return this.routes[route]?.({ audience, list, id: id ?? '', request, record }) ?? notFound;
  }

  private isKnown(authorization: string): boolean {
    const basic = Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString();
    return authorization === `Bearer ${this.apiKey}` || basic.endsWith(`:${this.apiKey}`);
  }

  private readonly routes: Readonly<Record<string, (call: Call) => FakeAnswer>> = {
    'GET ': ({ list }) => ({ status: 200, body: { id: list } }),
    'POST ': subscribe,
    'GET merge-fields': () => ({ status: 200, body: { merge_fields: mergeFields, total_items: mergeFields.length } }),
    'GET members/:id': ({ audience, id }) => {
      const member = audience.members.get(id);
      return member === undefined ? notFound : { status: 200, body: bodyOf(member) };
    },
    'PATCH members/:id': (call) => {
      const member = call.audience.members.get(call.id);
      if (member === undefined) return notFound;
      const wrong = problemOf(call.request.body, member);
      if (wrong !== undefined) return problem(400, 'Invalid Resource', wrong);
      write(call, member, call.request.body as Fields);
      return { status: 200, body: bodyOf(member) };
    },
    'DELETE members/:id': (call) => remove(call, { status: 'archived' }),
    'POST members/:id/actions/delete-permanent': (call) => remove(call, undefined),
    'POST members/:id/tags': setTags,
    'GET segments/:id': ({ audience, id }) => (audience.segments.has(id) ? { status: 200, body: { id } } : notFound),
    'POST segments/:id': editSegment,
  };
}

interface Call {
  readonly audience: Audience;
  readonly list: string;
  readonly id: string;
  readonly request: FakeRequest;
  readonly record: RecordEffect;
}

const bodyOf = ({ id, fields, tags }: Member): Fields => ({ id, ...fields, tags: [...tags].map((name) => ({ name })) });

/** Why Mailchimp doesn't take what is said of a member; undefined when it does. */
function problemOf(body: unknown, member: Member | undefined): string | undefined {
  if (!isRecord(body)) return 'The request body is not an object.';
  const { status, merge_fields: merge = {} } = body;
  if (status === undefined ? member === undefined : !statuses.includes(textOf(status)))
    return 'Value must be one of subscribed, unsubscribed, …';
  if (!isRecord(merge)) return 'merge_fields is not an object.';
  return merge['SCORE'] === undefined || merge['SCORE'] === '' || merge['SCORE'] === null || Number.isFinite(Number(merge['SCORE']))
    ? undefined
    : 'Your merge fields were invalid: SCORE must be a number';
}

/** Merge fields that the list doesn't have are dropped. */
function write({ list, record }: Call, member: Member, body: Fields, operation: 'create' | 'update' = 'update'): void {
  const { merge_fields: merge, ...fields } = body;
  const known = Object.entries(isRecord(merge) ? merge : {}).filter(([name]) => mergeFields.some(({ tag }) => tag === name));
  const old = isRecord(member.fields['merge_fields']) ? member.fields['merge_fields'] : {};
  member.fields = { ...member.fields, ...fields, merge_fields: { ...old, ...Object.fromEntries(known) } };
  record({ operation, object: `lists/${list}/members`, id: member.id, key: textOf(member.fields['email_address']), fields: body });
}

function subscribe(call: Call): FakeAnswer {
  const { audience, request } = call;
  const body = isRecord(request.body) ? request.body : {};
  const given = listOf(body['members']);
  if (given.length === 0 || given.length > 500) {
    return problem(400, 'Invalid Resource', 'The submitted resource must have between 1 and 500 members.');
  }
  const made: Fields[] = [];
  const updated: Fields[] = [];
  const errors: Fields[] = [];
  const seen = new Set<string>();
  for (const item of given) {
    const fields = isRecord(item) ? item : {};
    const address = textOf(fields['email_address'] ?? '');
    const id = hashOf(address);
    const member = audience.members.get(id);
    const refusal = refusalOf(audience, fields, { address, member, isTwice: seen.has(id), mayUpdate: body['update_existing'] === true });
    seen.add(id);
    if (refusal !== undefined) errors.push({ email_address: address, ...refusal });
    else if (member === undefined) {
      const fresh: Member = { id, fields: { email_address: address }, tags: new Set() };
      audience.members.set(id, fresh);
      write(call, fresh, fields, 'create');
      made.push(bodyOf(fresh));
    } else {
      write(call, member, fields);
      updated.push(bodyOf(member));
    }
  }
  return {
    status: 200,
    body: {
      new_members: made,
      updated_members: updated,
      errors,
      total_created: made.length,
      total_updated: updated.length,
      error_count: errors.length,
    },
  };
}

interface Given {
  readonly address: string;
  readonly member: Member | undefined;
  readonly isTwice: boolean;
  readonly mayUpdate: boolean;
}

function refusalOf(audience: Audience, fields: Fields, { address, member, isTwice, mayUpdate }: Given): Fields | undefined {
  const generic = (error: string): Fields => ({ error, error_code: 'ERROR_GENERIC' });
  if (!/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(address)) return generic(`${address} is an invalid email address.`);
  if (isTwice) return generic('The email address is in the batch twice.');
  if (audience.forgotten.has(hashOf(address))) {
    return generic(`${address} was permanently deleted and cannot be re-imported. The contact must re-subscribe to get back on the list.`);
  }
  if (member !== undefined && !mayUpdate) return { error: `${address} is already a list member.`, error_code: 'ERROR_CONTACT_EXISTS' };
  const wrong = problemOf(fields, member);
  return wrong === undefined ? undefined : generic(wrong);
}

/** Archives a member, or deletes it for good. */
function remove({ audience, list, id, record }: Call, archived: Fields | undefined): FakeAnswer {
  const member = audience.members.get(id);
  if (member === undefined || (archived !== undefined && member.fields['status'] === 'archived')) return notFound;
  if (archived === undefined) {
    audience.members.delete(id);
    audience.forgotten.add(id);
  } else member.fields = { ...member.fields, ...archived };
  record({ operation: 'delete', object: `lists/${list}/members`, id, key: textOf(member.fields['email_address']), fields: {} });
  return { status: 204 };
}

function setTags({ audience, list, id, request, record }: Call): FakeAnswer {
  const member = audience.members.get(id);
  if (member === undefined) return notFound;
  for (const tag of listOf(isRecord(request.body) ? request.body['tags'] : []).filter(isRecord)) {
    const name = textOf(tag['name']);
    const isActive = tag['status'] === 'active';
    if (member.tags.has(name) === isActive) continue;
    if (isActive) member.tags.add(name);
    else member.tags.delete(name);
    const object = `lists/${list}/tags/${name}`;
    record({ operation: isActive ? 'add' : 'remove', object, id, key: textOf(member.fields['email_address']), fields: {} });
  }
  return { status: 204 };
}

function editSegment({ audience, list, id, request, record }: Call): FakeAnswer {
  const segment = audience.segments.get(id);
  if (segment === undefined) return notFound;
  const body = isRecord(request.body) ? request.body : {};
  const [toAdd, toRemove] = [listOf(body['members_to_add']).map(textOf), listOf(body['members_to_remove']).map(textOf)];
  if (toAdd.length + toRemove.length > 500) return problem(400, 'Invalid Resource', 'At most 500 members can be added or removed.');
  const strangers = [...toAdd, ...toRemove].filter((address) => !audience.members.has(hashOf(address)));
  const change = (addresses: readonly string[], operation: 'add' | 'remove'): Fields[] =>
    addresses.flatMap((address) => {
      const member = audience.members.get(hashOf(address));
      if (member === undefined) return [];
      if (segment.has(member.id) !== (operation === 'add')) {
        if (operation === 'add') segment.add(member.id);
        else segment.delete(member.id);
        record({ operation, object: `lists/${list}/segments/${id}`, id: member.id, key: address, fields: {} });
      }
      return [bodyOf(member)];
    });
  return {
    status: 200,
    body: {
      members_added: change(toAdd, 'add'),
      members_removed: change(toRemove, 'remove'),
      errors: strangers.length === 0 ? [] : [{ email_addresses: strangers, error: 'Email addresses are not members of the list.' }],
    },
  };
}
