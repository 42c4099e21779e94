/** Facts: HubSpot's documentation of the CRM objects API v3 (batch, properties, error handling). */

export interface FakeProperty {
  readonly name: string;
  readonly type: 'string' | 'number' | 'date' | 'datetime' | 'enumeration' | 'bool';
  readonly options?: readonly string[];
  readonly unique?: boolean;
  readonly readOnly?: boolean;
}

export interface FakeObjectType {
  /** `contacts`; the singular upper-case name is in messages. */
  readonly name: string;
  /** `0-1`, `2-1234`. */
  readonly id: string;
  readonly properties: readonly FakeProperty[];
  /** Properties that a create must have. */
  readonly required?: readonly string[];
  /** What the effect ledger calls a record by. */
  readonly key: string;
}

export interface FakeRecord {
  readonly id: string;
  readonly properties: Record<string, string>;
  readonly createdAt: number;
}

/** Why one input was refused, as HubSpot words it. */
export interface Refusal {
  readonly status: 400 | 404 | 409;
  readonly category: string;
  readonly message: string;
}

const text = (name: string): FakeProperty => ({ name, type: 'string' });
const number = (name: string): FakeProperty => ({ name, type: 'number' });
const always: readonly FakeProperty[] = [
  { name: 'hs_object_id', type: 'number', readOnly: true },
  { name: 'createdate', type: 'datetime', readOnly: true },
];

export const standardTypes: readonly FakeObjectType[] = [
  {
    name: 'contacts',
    id: '0-1',
    key: 'email',
    properties: [
      ...always,
      // HubSpot finds contacts by it, but doesn't say that it is unique.
      text('email'),
      { name: 'external_id', type: 'string', unique: true },
      ...['firstname', 'lastname', 'company', 'phone', 'plan', 'churn_risk', 'segment'].map(text),
      { name: 'lifecyclestage', type: 'enumeration', options: ['subscriber', 'lead', 'customer'] },
      ...['health_score', 'lifetime_value', 'open_tickets', 'logins'].map(number),
      { name: 'last_seen', type: 'datetime' },
      { name: 'renewal_date', type: 'date' },
      { name: 'is_vip', type: 'bool' },
    ],
  },
  {
    name: 'companies',
    id: '0-2',
    key: 'domain',
    properties: [
      ...always,
      ...['name', 'domain', 'industry', 'city'].map(text),
      { name: 'account_no', type: 'string', unique: true },
      ...['annualrevenue', 'numberofemployees', 'health_score', 'open_tickets'].map(number),
    ],
  },
  {
    name: 'deals',
    id: '0-3',
    key: 'dealname',
    required: ['dealname', 'dealstage'],
    properties: [
      ...always,
      ...['dealname', 'dealstage', 'pipeline'].map(text),
      { name: 'order_no', type: 'string', unique: true },
      number('amount'),
      { name: 'closedate', type: 'datetime' },
    ],
  },
  {
    name: 'tickets',
    id: '0-5',
    key: 'subject',
    required: ['subject', 'hs_pipeline_stage'],
    properties: [...always, ...['subject', 'content', 'hs_pipeline', 'hs_pipeline_stage', 'hs_ticket_priority'].map(text)],
  },
];

function errorOf({ name, type, options, readOnly }: FakeProperty, value: string): string | undefined {
  if (readOnly === true) return 'READ_ONLY_VALUE';
  if (value === '') return undefined;
  if (name === 'email') return /^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(value) ? undefined : 'INVALID_EMAIL';
  const isRight: Record<FakeProperty['type'], () => boolean> = {
    string: () => value.length <= 65_536,
    number: () => Number.isFinite(Number(value)),
    date: () => /^\d{4}-\d{2}-\d{2}$/.test(value) || (/^\d+$/.test(value) && Number(value) % 86_400_000 === 0),
    datetime: () => !Number.isNaN(Date.parse(value)) || /^\d+$/.test(value),
    enumeration: () => options?.includes(value) ?? false,
    bool: () => value === 'true' || value === 'false',
  };
  const errors = { string: 'TOO_LONG', number: 'INVALID_LONG', date: 'INVALID_DATE', datetime: 'INVALID_DATE' } as const;
  return isRight[type]() ? undefined : type === 'enumeration' || type === 'bool' ? 'INVALID_OPTION' : errors[type];
}

/** The records of one type, found by id and by the values of unique properties. */
export class FakeRecords {
  readonly type: FakeObjectType;
  readonly byId = new Map<string, FakeRecord>();
  readonly #indexes = new Map<string, Map<string, string>>();
  readonly #properties: ReadonlyMap<string, FakeProperty>;

  constructor(type: FakeObjectType) {
    this.type = type;
    this.#properties = new Map(type.properties.map((property) => [property.name, property]));
    for (const { name, unique } of type.properties)
      if (unique === true || (type.name === 'contacts' && name === 'email')) this.#indexes.set(name, new Map());
  }

  isUnique(property: string): boolean {
    return this.#indexes.has(property);
  }

  find(id: string, idProperty: string | undefined): FakeRecord | undefined {
    const found = idProperty === undefined ? id : this.#indexes.get(idProperty)?.get(canonical(idProperty, id));
    return found === undefined ? undefined : this.byId.get(found);
  }

  /** What HubSpot says of properties that it doesn't take. */
  problem(properties: Readonly<Record<string, string>>): Refusal | undefined {
    const wrong = Object.entries(properties).flatMap(([name, value]) => {
      const property = this.#properties.get(name);
      const error = property === undefined ? 'PROPERTY_DOESNT_EXIST' : errorOf(property, value);
      const message = property === undefined ? `Property "${name}" does not exist` : `${value} was not a valid ${property.type}.`;
      return error === undefined ? [] : [{ isValid: false, message, error, name, localizedErrorMessage: message, portalId: 4711 }];
    });
    if (wrong.length === 0) return undefined;
    return { status: 400, category: 'VALIDATION_ERROR', message: `Property values were not valid: ${JSON.stringify(wrong)}` };
  }

  missing(properties: Readonly<Record<string, string>>): Refusal | undefined {
    const missing = (this.type.required ?? []).filter((name) => (properties[name] ?? '') === '');
    if (missing.length === 0) return undefined;
    const message = `Error creating ${this.singular}. Some required properties were not set.`;
    return { status: 400, category: 'VALIDATION_ERROR', message };
  }

  /** A record other than `but` that has one of the unique values. */
  taken(properties: Readonly<Record<string, string>>, but?: string): Refusal | undefined {
    for (const [name, index] of this.#indexes) {
      const value = properties[name];
      const id = value === undefined || value === '' ? undefined : index.get(canonical(name, value));
      if (id === undefined || id === but) continue;
      const isEmail = this.type.name === 'contacts' && name === 'email';
      const message = isEmail
        ? `Contact already exists. Existing ID: ${id}`
        : `${value} is already used by object ${id} for property ${name}, which must be unique.`;
      return isEmail ? { status: 409, category: 'CONFLICT', message } : { status: 400, category: 'VALIDATION_ERROR', message };
    }
    return undefined;
  }

  get singular(): string {
    return this.type.name.replace(/ies$/, 'y').replace(/s$/, '').toUpperCase();
  }

  put(id: string, properties: Readonly<Record<string, string>>): FakeRecord {
    const record = this.byId.get(id) ?? { id, properties: { hs_object_id: id }, createdAt: Date.now() };
    for (const [name, value] of Object.entries(properties)) {
      const index = this.#indexes.get(name);
      const before = record.properties[name];
      if (index !== undefined && before !== undefined) index.delete(canonical(name, before));
      if (value === '') delete record.properties[name];
      else record.properties[name] = canonical(name, value);
      if (index !== undefined && value !== '') index.set(canonical(name, value), id);
    }
    this.byId.set(id, record);
    return record;
  }

  remove(id: string): FakeRecord | undefined {
    const record = this.byId.get(id);
    if (record === undefined) return undefined;
    this.byId.delete(id);
    for (const [name, index] of this.#indexes) index.delete(record.properties[name] ?? '');
    return record;
  }
}

const canonical = (name: string, value: string): string => (name === 'email' ? value.toLowerCase() : value);
