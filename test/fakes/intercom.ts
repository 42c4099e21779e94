import { randomBytes } from 'node:crypto';
import type { Effect, FakeAnswer, FakeRequest, Vendor } from './fake.ts';

type Fields = Record<string, unknown>;
type RecordEffect = (effect: Omit<Effect, 'at'>) => void;

interface Contact {
  readonly id: string;
  fields: Fields;
  archived: boolean;
  /** Searches find it from this moment on. */
  readonly visibleFrom: number;
}

interface Attribute {
  readonly name: string;
  readonly data_type: 'string' | 'integer' | 'float' | 'boolean' | 'date';
  readonly api_writable?: boolean;
  readonly options?: readonly string[];
}

export interface IntercomOptions {
  readonly token?: string;
  readonly attributes?: readonly Attribute[];
  /** Milliseconds until a search finds a new contact. */
  readonly searchLag?: number;
}

const uniques = ['external_id', 'email'] as const;
const standard = [
  'external_id',
  'email',
  'role',
  'name',
  'phone',
  'avatar',
  'owner_id',
  'signed_up_at',
  'last_seen_at',
  'unsubscribed_from_emails',
];

const failure = (status: number, code: string, message: string): FakeAnswer => ({
  status,
  body: { type: 'error.list', request_id: randomBytes(8).toString('hex'), errors: [{ code, message }] },
});
const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? ''));
const isRecord = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Intercom's contacts: one a request, found by a search of fifteen filters that lags; conflicts by external id and address; limits by ten seconds. */
export class Intercom implements Vendor {
  readonly name = 'intercom';
  readonly token: string;
  searchLag: number;
  private readonly attributes: readonly Attribute[];
  private readonly contacts = new Map<string, Contact>();

  constructor({ token = 'intercom-token', attributes = [], searchLag = 0 }: IntercomOptions = {}) {
    this.token = token;
    this.searchLag = searchLag;
    this.attributes = [{ name: 'plan', data_type: 'string' }, { name: 'health_score', data_type: 'integer' }, ...attributes];
  }

  /** Makes a contact, past the API. */
  add(fields: Fields): string {
    const id = randomBytes(12).toString('hex');
    this.contacts.set(id, { id, fields: { custom_attributes: {}, ...fields }, archived: false, visibleFrom: 0 });
    return id;
  }

  records(): ReadonlyMap<string, readonly Fields[]> {
    const live = [...this.contacts.values()].filter(({ archived }) => !archived);
    return new Map([['contacts', live.map(({ id, fields }) => ({ id, ...fields }))]]);
  }

  throttled(wait: number): FakeAnswer {
    return {
      ...failure(429, 'rate_limit_exceeded', 'Exceeded rate limit'),
      headers: {
        'x-ratelimit-limit': '1667',
        'x-ratelimit-remaining': '0',
        'x-ratelimit-reset': String(Math.ceil((Date.now() + wait) / 1000)),
      },
    };
  }

  handle(request: FakeRequest, record: RecordEffect): FakeAnswer {
    if (request.headers['authorization'] !== `Bearer ${this.token}`) return failure(401, 'unauthorized', 'Access Token Invalid');
    const [root, id, action] = request.path.split('/').slice(1).map(decodeURIComponent);
    const body = isRecord(request.body) ? request.body : {};
    const answers: Readonly<Record<string, () => FakeAnswer>> = {
      'GET me': () => ({ status: 200, body: { type: 'admin', id: '1', app: { type: 'app', id_code: 'fake' } } }),
      'GET data_attributes': () => ({ status: 200, body: { type: 'list', data: this.attributes.map(attributeOf) } }),
      'POST contacts': () => this.post(id, action, body, record),
      'PUT contacts': () => this.change(id, 'update', body, record),
      'DELETE contacts': () => this.change(id, 'delete', body, record),
    };
    return answers[`${request.method} ${root}`]?.() ?? failure(404, 'not_found', 'Resource Not Found');
  }

  private post(id: string | undefined, action: string | undefined, body: Fields, record: RecordEffect): FakeAnswer {
    if (id === 'search') return this.search(body);
    return id === undefined ? this.create(body, record) : this.change(id, action, body, record);
  }

  private search({ query }: Fields): FakeAnswer {
    const filters = isRecord(query) && Array.isArray(query['value']) ? query['value'].filter(isRecord) : [];
    if (!isRecord(query) || query['operator'] !== 'OR' || filters.length === 0 || filters.length > 15) {
      return failure(400, 'invalid_query', 'A query has from 1 to 15 filters in a group');
    }
    const now = Date.now();
    const found = [...this.contacts.values()].filter(
      ({ archived, visibleFrom, fields }) =>
        !archived && visibleFrom <= now && filters.some(({ field, value }) => sameText(fields[textOf(field)], value)),
    );
    const data = found.map(({ id, fields }) => ({ type: 'contact', id, ...fields }));
    return { status: 200, body: { type: 'list', data, total_count: data.length, pages: { type: 'pages', page: 1, per_page: 150 } } };
  }

  private conflict(body: Fields, own?: string): FakeAnswer | undefined {
    for (const contact of this.contacts.values()) {
      const isSame = uniques.some((name) => body[name] !== undefined && body[name] !== null && sameText(contact.fields[name], body[name]));
      if (contact.id === own || !isSame) continue;
      const which = contact.archived
        ? 'An archived contact matching those details already exists'
        : 'A contact matching those details already exists';
      return failure(409, 'conflict', `${which} with id=${contact.id}`);
    }
    return undefined;
  }

  private problemOf(body: Fields): FakeAnswer | undefined {
    const stranger = Object.keys(body).find((name) => name !== 'custom_attributes' && !standard.includes(name));
    if (stranger !== undefined) return failure(400, 'parameter_invalid', `${stranger} is not a parameter of a contact`);
    const { custom_attributes: custom = {} } = body;
    if (!isRecord(custom)) return failure(400, 'parameter_invalid', 'custom_attributes must be an object');
    for (const [name, value] of Object.entries(custom)) {
      const attribute = this.attributes.find((known) => known.name === name);
      if (attribute === undefined) return failure(400, 'parameter_invalid', `Custom attribute '${name}' does not exist`);
      if (attribute.data_type === 'integer' && value !== null && !Number.isInteger(value)) {
        return failure(400, 'parameter_invalid', `Custom attribute '${name}' must be an integer, not ${JSON.stringify(value)}`);
      }
    }
    return undefined;
  }

  private create(body: Fields, record: RecordEffect): FakeAnswer {
    if (uniques.every((name) => body[name] === undefined)) return failure(400, 'parameter_not_found', 'email or external_id is required');
    const refusal = this.problemOf(body) ?? this.conflict(body);
    if (refusal !== undefined) return refusal;
    const id = randomBytes(12).toString('hex');
    const fields = { role: 'user', custom_attributes: {}, ...body };
    this.contacts.set(id, { id, fields, archived: false, visibleFrom: Date.now() + this.searchLag });
    record({ operation: 'create', object: 'contacts', id, key: keyOf(fields), fields: body });
    return { status: 200, body: { type: 'contact', id, ...fields } };
  }

  private change(id = '', action: string | undefined, body: Fields, record: RecordEffect): FakeAnswer {
    const contact = this.contacts.get(id);
    if (contact === undefined) return failure(404, 'not_found', 'User Not Found');
    const effect = { object: 'contacts', id, key: keyOf(contact.fields) };
    if (action === 'archive') {
      contact.archived = true;
      record({ operation: 'delete', ...effect, fields: {} });
      return { status: 200, body: { type: 'contact', id, archived: true } };
    }
    if (action === 'delete') {
      this.contacts.delete(id);
      record({ operation: 'delete', ...effect, fields: {} });
      return { status: 200, body: { type: 'contact', id, deleted: true } };
    }
    const refusal = this.problemOf(body) ?? this.conflict(body, id);
    if (refusal !== undefined) return refusal;
    const custom = { ...(contact.fields['custom_attributes'] as Fields), ...(body['custom_attributes'] as Fields | undefined) };
    contact.fields = { ...contact.fields, ...body, custom_attributes: custom };
    record({ operation: 'update', ...effect, fields: body });
    return { status: 200, body: { type: 'contact', id, ...contact.fields } };
  }
}

const sameText = (one: unknown, other: unknown): boolean =>
  one !== undefined && one !== null && textOf(one).toLowerCase() === textOf(other).toLowerCase();
const keyOf = (fields: Fields): string => textOf(fields['external_id'] ?? fields['email']);

function attributeOf({ name, data_type, api_writable = true, options }: Attribute): Fields {
  const list = options === undefined ? {} : { options };
  return {
    type: 'data_attribute',
    model: 'contact',
    name,
    full_name: `custom_attributes.${name}`,
    data_type,
    api_writable,
    custom: true,
    ...list,
  };
}
