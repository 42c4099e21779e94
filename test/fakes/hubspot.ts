import { startFake, type Fake, type FakeAnswer, type FakeRequest, type Vendor } from './fake.ts';
import { FakeBatches, inputsOf, invalid, isAnswer, noType, type Recorder } from './hubspot-batches.ts';
import { FakeMemberships } from './hubspot-memberships.ts';
import { FakeRecords, standardTypes, type FakeObjectType } from './hubspot-records.ts';

export interface HubspotOptions {
  /** Access token of the private app. */
  readonly token?: string;
  /** Refresh token of an OAuth app, whose access tokens are given by `/oauth/v1/token`. */
  readonly refreshToken?: string;
  /** Custom objects. */
  readonly custom?: readonly FakeObjectType[];
  /** Milliseconds until search finds what was written. */
  readonly searchLag?: number;
  readonly limit?: { readonly requests: number; readonly per: number };
  readonly port?: number;
}

/** A HubSpot account that can be filled past its API. */
export interface HubspotFake extends Fake {
  readonly memberships: FakeMemberships;
  /** Puts a record of a type and returns its id; no effect is recorded. */
  seed(type: string, properties: Readonly<Record<string, string>>): string;
  records(): ReturnType<Vendor['records']>;
  of(type: string): FakeRecords;
  /** Takes scopes from the app: every request of the objects fails. */
  takeScopes(scopes: readonly string[]): void;
}

/** HubSpot's answer to requests over a limit. */
export function hubspotThrottled(wait: number, policyName: 'TEN_SECONDLY_ROLLING' | 'DAILY' = 'TEN_SECONDLY_ROLLING'): FakeAnswer {
  const message = policyName === 'DAILY' ? 'You have reached your daily limit.' : 'You have reached your ten_secondly_rolling limit.';
  const body = { status: 'error', message, errorType: 'RATE_LIMIT', correlationId: 'c033cdaa-2c40-4a64-ae48-b4cec88dad24', policyName };
  const retry = policyName === 'DAILY' || wait <= 10_000 ? {} : { 'retry-after': String(Math.ceil(wait / 1000)) };
  return { status: 429, body, headers: { ...rateHeaders(0), ...retry } };
}

const rateHeaders = (remaining: number): Record<string, string> => ({
  'x-hubspot-ratelimit-interval-milliseconds': '10000',
  'x-hubspot-ratelimit-max': '190',
  'x-hubspot-ratelimit-remaining': String(Math.max(0, remaining)),
  'x-hubspot-ratelimit-daily': '650000',
});

class HubspotVendor implements Vendor {
  readonly name = 'hubspot';
  readonly memberships: FakeMemberships;
  missingScopes: readonly string[] = [];
  readonly batches: FakeBatches;
  readonly #types = new Map<string, FakeRecords>();
  readonly #options: HubspotOptions;
  #tokens = 0;

  constructor(options: HubspotOptions) {
    this.#options = options;
    for (const type of [...standardTypes, ...(options.custom ?? [])]) {
      const records = new FakeRecords(type);
      this.#types.set(type.name, records);
      this.#types.set(type.id, records);
      if (type.id.startsWith('2-')) this.#types.set(`p4711_${type.name}`, records);
    }
    this.memberships = new FakeMemberships((type) => this.#types.get(type));
    this.batches = new FakeBatches((type) => this.#types.get(type));
  }

  of(type: string): FakeRecords | undefined {
    return this.#types.get(type);
  }

  handle(request: FakeRequest, record: Recorder): FakeAnswer {
    const parts = request.path.split('/').slice(1).map(decodeURIComponent);
    if (request.path === '/oauth/v1/token') return this.#grant(request);
    if (!this.#isAllowed(request.headers['authorization'])) {
      const message = 'Authentication credentials not found. This API supports OAuth 2.0 authentication.';
      return { status: 401, body: { status: 'error', message, category: 'INVALID_AUTHENTICATION' } };
    }
    if (request.path === '/account-info/v3/details')
      return { status: 200, body: { portalId: 4711, accountType: 'STANDARD', timeZone: 'UTC' } };
    if (this.missingScopes.length > 0) return this.#refuseScopes();
    return this.#route(parts, request, record);
  }

  #route(parts: readonly string[], request: FakeRequest, record: Recorder): FakeAnswer {
    const { method, body, query } = request;
    const [version, area, ...rest] = parts.slice(1);
    const at = (no: number): string => rest[no] ?? '';
    const routes: Readonly<Record<string, () => FakeAnswer>> = {
      'GET v3/properties': () => this.#properties(at(0)),
      'GET v3/schemas': () => ({ status: 200, body: { results: this.#schemas() } }),
      'GET v3/lists': () => this.memberships.readList(at(0)),
      'PUT v3/lists': () => this.memberships.changeList(at(0), at(2) === 'add', body, record),
      'POST v4/associations': () => this.memberships.handlePairs([at(0), at(1)], at(3), body, record),
      'POST v3/objects': () => this.#objects(at(0), at(1) === 'batch' ? at(2) : at(1), body, record, query),
    };
    const route = routes[`${method} ${version}/${area}`];
    return route?.() ?? { status: 404, body: { status: 'error', message: 'resource not found' } };
  }

  #objects(type: string, verb: string, body: unknown, record: Recorder, query: URLSearchParams): FakeAnswer {
    const records = this.of(type);
    if (records === undefined) return noType(type);
    switch (verb) {
      case 'read':
        return this.#read(records, body, query);
      case 'archive':
        return this.#archive(records, body, record);
      case 'gdpr-delete':
        return this.#purge(records, body, record);
      case 'search':
        return this.#search(records, body);
      default:
        return this.batches.write(type, verb, body, record);
    }
  }

  #read(records: FakeRecords, body: unknown, query: URLSearchParams): FakeAnswer {
    const inputs = inputsOf<{ id: string }>(body);
    if (isAnswer(inputs)) return inputs;
    const { idProperty } = body as { idProperty?: string };
    if (query.size > 0) return invalid('unknown query parameters');
    if (idProperty !== undefined && !records.isUnique(idProperty)) return invalid(`${idProperty} is not a unique identifier property`);
    const found = inputs.map(({ id }) => ({ id, record: records.find(id, idProperty) }));
    const results = found.flatMap(({ record }) => (record === undefined ? [] : [{ ...record, archived: false }]));
    const missing = found.filter(({ record }) => record === undefined).map(({ id }) => id);
    const message = `Could not get some ${records.singular} objects, they may be deleted or not exist. Check that ids are valid.`;
    const errors = missing.length === 0 ? [] : [{ status: 'error', category: 'OBJECT_NOT_FOUND', message, context: { ids: missing } }];
    if (errors.length === 0) return { status: 200, body: { status: 'COMPLETE', results } };
    return { status: 207, body: { status: 'COMPLETE', results, numErrors: errors.length, errors } };
  }

  #archive(records: FakeRecords, body: unknown, record: Recorder): FakeAnswer {
    const inputs = inputsOf<{ id: string }>(body);
    if (isAnswer(inputs)) return inputs;
    for (const { id } of inputs) this.#remove(records, id, record);
    return { status: 204 };
  }

  #purge(records: FakeRecords, body: unknown, record: Recorder): FakeAnswer {
    const { objectId, idProperty } = body as { objectId: string; idProperty?: string };
    const found = records.find(objectId, idProperty);
    if (found !== undefined) this.#remove(records, found.id, record);
    return { status: 204 };
  }

  #remove(records: FakeRecords, id: string, record: Recorder): void {
    const removed = records.remove(id);
    if (removed === undefined) return;
    for (const list of this.memberships.lists.values()) if (list.objectTypeId === records.type.id) list.members.delete(id);
    const key = removed.properties[records.type.key] ?? id;
    record({ operation: 'delete', object: records.type.name, id, key, fields: {} });
  }

  #search(records: FakeRecords, body: unknown): FakeAnswer {
    const { filterGroups, after = '0' } = body as {
      filterGroups: readonly { filters: readonly { propertyName: string; operator: string; values: readonly string[] }[] }[];
      after?: string;
    };
    const [filter] = filterGroups[0]?.filters ?? [];
    if (filter?.operator !== 'IN' || filter.values.length > 100) return invalid('There was a problem with the request.');
    const values = new Set(filter.values.map((value) => value.toLowerCase()));
    const seenFrom = Date.now() - (this.#options.searchLag ?? 0);
    const all = [...records.byId.values()].filter(
      ({ properties, createdAt }) => createdAt <= seenFrom && values.has((properties[filter.propertyName] ?? '').toLowerCase()),
    );
    const results = all.slice(Number(after), Number(after) + 200);
    const next = Number(after) + 200 < all.length ? { paging: { next: { after: String(Number(after) + 200) } } } : {};
    return { status: 200, body: { total: all.length, results, ...next } };
  }

  #properties(type: string): FakeAnswer {
    const records = this.of(type);
    if (records === undefined) return noType(type);
    const results = records.type.properties.map(({ name, type: kind, options = [], unique = false, readOnly = false }) => ({
      name,
      label: name,
      type: kind,
      options: options.map((value) => ({ label: value, value, hidden: false })),
      hasUniqueValue: unique,
      modificationMetadata: { readOnlyValue: readOnly, readOnlyDefinition: true, archivable: false },
    }));
    return { status: 200, body: { results } };
  }

  #schemas(): readonly unknown[] {
    return (this.#options.custom ?? []).map(({ name, id, required = [] }) => ({
      name,
      objectTypeId: id,
      fullyQualifiedName: `p4711_${name}`,
      labels: { singular: name, plural: `${name}s` },
      requiredProperties: required,
    }));
  }

  #grant({ text }: FakeRequest): FakeAnswer {
    const form = new URLSearchParams(text);
    if (form.get('grant_type') !== 'refresh_token' || form.get('refresh_token') !== this.#options.refreshToken)
      return { status: 400, body: { status: 'BAD_REFRESH_TOKEN', message: 'missing or invalid refresh token' } };
    this.#tokens += 1;
    const access_token = `${this.#options.token ?? ''}-${this.#tokens}`;
    return { status: 200, body: { access_token, refresh_token: this.#options.refreshToken, token_type: 'bearer', expires_in: 1800 } };
  }

  #isAllowed(authorization: string | undefined): boolean {
    const { token = 'pat-fake', refreshToken } = this.#options;
    return authorization === `Bearer ${refreshToken === undefined ? token : `${token}-${this.#tokens}`}`;
  }

  #refuseScopes(): FakeAnswer {
    const message = "This app hasn't been granted all required scopes to make this call.";
    const errors = [
      { message: 'One or more of the following scopes are required.', context: { requiredGranularScopes: this.missingScopes } },
    ];
    return { status: 403, body: { status: 'error', message, errors, category: 'MISSING_SCOPES' } };
  }

  throttled(wait: number): FakeAnswer {
    return hubspotThrottled(wait);
  }

  headers(used: number): Readonly<Record<string, string>> {
    return rateHeaders((this.#options.limit?.requests ?? 190) - used);
  }

  records(): ReturnType<Vendor['records']> {
    const all = new Map<string, readonly Readonly<Record<string, unknown>>[]>();
    for (const records of new Set(this.#types.values()))
      all.set(
        records.type.name,
        [...records.byId.values()].map(({ id, properties }) => ({ id, ...properties })),
      );
    for (const { listId, members, objectTypeId } of this.memberships.lists.values()) {
      const { byId, type } = this.of(objectTypeId) ?? {};
      const memberOf = (id: string) => (type === undefined ? { id } : { id, [type.key]: byId?.get(id)?.properties[type.key] });
      all.set(`lists/${listId}`, [...members].map(memberOf));
    }
    const pairs = [...this.memberships.pairs].map((pair) => pair.split(' '));
    for (const object of new Set(pairs.map(([name = '']) => name)))
      all.set(
        object,
        pairs.filter(([name]) => name === object).map(([, id]) => ({ id })),
      );
    return all;
  }
}

/** Starts a HubSpot account on loopback. */
export async function startHubspot(options: HubspotOptions = {}): Promise<HubspotFake> {
  const vendor = new HubspotVendor(options);
  const fake = await startFake(vendor, options.port);
  fake.limit = options.limit;
  const of = (type: string): FakeRecords => {
    const found = vendor.of(type);
    if (found === undefined) throw new Error(`the fake has no ${type}`);
    return found;
  };
  return Object.assign(fake, {
    memberships: vendor.memberships,
    of,
    seed: (type: string, properties: Readonly<Record<string, string>>) => of(type).put(vendor.batches.nextId(), properties).id,
    takeScopes: (scopes: readonly string[]) => {
      vendor.missingScopes = scopes;
    },
  });
}
