import type { SyncDefinition } from '../../schema/sync-definition.ts';
import type { Settling } from '../../schema/sync.ts';
import { settingsOf as hubspotSettings, start as startHubspot } from '../connectors/hubspot-case.ts';
import { settingsFor as salesforceSettings, startOrg } from '../connectors/salesforce-kit.ts';
import type { Effect } from '../fakes/fake.ts';
import { startLedgered, type LedgeredSettings } from '../fakes/ledgered.ts';

/** A row of a trial's model, or of what an application holds. */
export interface Thing {
  readonly key: string;
  readonly value: string | null;
  readonly code: number | null;
}

export type DestinationName = 'hubspot' | 'salesforce' | 'ledgered';

/** What a trial says of its destination. */
export interface Wanted {
  /** The sync's name, which the connection has too and every key begins with. */
  readonly name: string;
  readonly mode: SyncDefinition['mode'];
  /** Members of a list in place of records. */
  readonly list: boolean;
  /** Jobs in place of answers, where the application has both. */
  readonly jobs: boolean;
  /** How creates settle, where the application takes any. */
  readonly creates: Settling;
}

/** An application of trials, in the process of the tests: it survives the worker. */
export interface Destination extends AsyncDisposable {
  readonly effects: readonly Effect[];
  /** Requests that name rows of a trial and could change something. */
  writes(wanted: Wanted): number;
  definition(wanted: Wanted): Pick<SyncDefinition, 'to' | 'object' | 'match' | 'map' | 'write'>;
  /** Puts things there past the API; on a list, records that are members where `members` says so. */
  seed(wanted: Wanted, things: readonly Thing[], members: boolean): void;
  /** Has the application refuse things, until `heal`. */
  poison(wanted: Wanted, things: readonly Thing[]): void;
  heal(wanted: Wanted, things: readonly Thing[]): void;
  /** What it holds of a trial. */
  held(wanted: Wanted): readonly Thing[];
  /** The answer to the next request that creates something of a trial is lost, after the effect. */
  loseAnswer(wanted: Wanted): void;
}

const columnsTo = (key: string, value: string, code: string): Pick<SyncDefinition, 'match' | 'map'> => ({
  match: [{ column: 'key', field: key }],
  map: [
    { column: 'value', field: value, whenNull: 'clear' },
    { column: 'code', field: code, whenNull: 'clear' },
  ],
});

const isOf = ({ name }: Wanted, key: string): boolean => key.startsWith(`${name}-`);
const numberOf = (value: unknown): number | null => (value === undefined || value === null || value === '' ? null : Number(value));
const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

async function openHubspot(): Promise<Destination> {
  const fake = await startHubspot();
  const contacts = fake.of('contacts');
  const others = new Map<string, string>();
  const membersOf = ({ name }: Wanted): Set<string> => (fake.memberships.lists.get(name) ?? fake.memberships.addList(name, name)).members;
  return {
    effects: fake.effects,
    writes: ({ name }) =>
      fake.requests.filter(({ path, text }) => /batch\/(create|update|upsert)$/.test(path) && text.includes(`${name}-`)).length,
    definition: (wanted) => ({
      to: { name: wanted.name, type: 'hubspot', settings: { ...hubspotSettings(fake), request_timeout: '1s' } },
      object: wanted.list ? `lists/${wanted.name}` : 'contacts',
      ...columnsTo('email', 'plan', 'external_id'),
      ...(wanted.list ? { map: [] } : {}),
      write: {},
    }),
    seed(wanted, things, members) {
      for (const { key, value } of things) {
        const id = fake.seed('contacts', { email: key, ...(value === null ? {} : { plan: value }) });
        if (members) membersOf(wanted).add(id);
      }
      if (wanted.list) membersOf(wanted);
    },
    // A list has no members that aren't contacts; a contact can't have what another has.
    poison(wanted, things) {
      for (const { key, code } of things)
        if (!wanted.list) others.set(key, fake.seed('contacts', { email: `other-${key}`, external_id: String(code) }));
        else contacts.remove(contacts.find(key, 'email')?.id ?? '');
    },
    heal(wanted, things) {
      for (const { key } of things)
        if (wanted.list) fake.seed('contacts', { email: key });
        else contacts.remove(others.get(key) ?? '');
    },
    held(wanted) {
      const members = wanted.list ? membersOf(wanted) : undefined;
      return [...contacts.byId.values()].flatMap(({ id, properties: { email = '', plan, external_id: code } }) =>
        isOf(wanted, email) && (members?.has(id) ?? true) ? [{ key: email, value: textOf(plan), code: numberOf(code) }] : [],
      );
    },
    loseAnswer: ({ name }) =>
      fake.trouble({ matches: ({ path, text }) => path.endsWith('batch/create') && text.includes(`${name}-`), cut: 'after' }),
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  };
}

async function openSalesforce(): Promise<Destination> {
  const org = await startOrg();
  const { store } = org.vendor;
  const others = new Map<string, string>();
  return {
    effects: org.fake.effects,
    writes: ({ name }) => org.fake.requests.filter(({ method, text }) => method !== 'GET' && text.includes(`${name}-`)).length,
    definition: ({ name, jobs }) => ({
      to: { name, type: 'salesforce', settings: { ...salesforceSettings(org), request_timeout: '1s' } },
      object: 'Account',
      ...columnsTo('External__c', 'Name', 'Number__c'),
      write: { bulk: jobs ? 'always' : 'never' },
    }),
    seed(_, things) {
      for (const { key, value } of things) store.add('Account', { External__c: key, Name: value });
    },
    poison(_, things) {
      for (const { key, code } of things)
        others.set(key, store.add('Account', { External__c: `other-${key}`, Name: 'other', Number__c: code }));
    },
    heal(_, things) {
      for (const { key } of things) store.take('Account', others.get(key) ?? '');
    },
    held: (wanted) =>
      [...store.of('Account').values()].flatMap(({ External__c: key, Name: value, Number__c: code }) =>
        isOf(wanted, String(key)) ? [{ key: String(key), value: textOf(value), code: numberOf(code) }] : [],
      ),
    loseAnswer: ({ name }) =>
      org.fake.trouble({ matches: ({ method, text }) => method === 'POST' && text.includes(`${name}-`), cut: 'after' }),
    [Symbol.asyncDispose]: () => org[Symbol.asyncDispose](),
  };
}

async function openLedgered(): Promise<Destination> {
  const fake = await startLedgered();
  const { objects, refused, poisoned } = fake.state;
  const settingsOf = ({ creates }: Wanted): LedgeredSettings => ({
    url: fake.url,
    settles: { create: creates, update: 'upsert', upsert: 'upsert', delete: 'upsert', add: 'upsert', remove: 'upsert' },
    batchRows: 20,
    requestTimeout: 1000,
    // So that the first batch is alone on its way.
    concurrency: creates === 'none' ? 1 : 4,
  });
  return {
    effects: fake.effects,
    writes: ({ name }) => fake.requests.filter(({ path, text }) => path === '/batch' && text.includes(`${name}-`)).length,
    definition: (wanted) => ({
      to: { name: wanted.name, type: 'ledgered', settings: { type: 'ledgered', ...settingsOf(wanted) } },
      object: 'things',
      ...columnsTo('key', 'value', 'code'),
      write: {},
    }),
    seed(_, things) {
      for (const { key, value } of things) objects.set(key, [{ id: key, fields: { value } }]);
    },
    // Every second one poisons its whole batch.
    poison(_, things) {
      things.forEach(({ key }, at) => (at % 2 === 0 ? refused.set(key, 'no') : poisoned.add(key)));
    },
    heal(_, things) {
      for (const { key } of things) {
        refused.delete(key);
        poisoned.delete(key);
      }
    },
    held: (wanted) =>
      [...objects].flatMap(([key, [first]]) =>
        isOf(wanted, key) ? [{ key, value: textOf(first?.fields['value']), code: numberOf(first?.fields['code']) }] : [],
      ),
    loseAnswer: ({ name }) => fake.trouble({ matches: ({ path, text }) => path === '/batch' && text.includes(`${name}-`), cut: 'after' }),
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  };
}

export type Destinations = Readonly<Record<DestinationName, Destination>> & AsyncDisposable;

export async function openDestinations(): Promise<Destinations> {
  const [hubspot, salesforce, ledgered] = await Promise.all([openHubspot(), openSalesforce(), openLedgered()]);
  return {
    hubspot,
    salesforce,
    ledgered,
    async [Symbol.asyncDispose]() {
      await Promise.all([hubspot, salesforce, ledgered].map((one) => one[Symbol.asyncDispose]()));
    },
  };
}
