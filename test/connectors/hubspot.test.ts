import assert from 'node:assert/strict';
import type { FakeRequest } from '../fakes/fake.ts';
import { hubspotThrottled, type HubspotFake } from '../fakes/hubspot.ts';
import { describeApplication } from '../kits/application.ts';
import type { ApplicationCase, RowValues } from '../kits/application-case.ts';
import { open, secret, start } from './hubspot-case.ts';

const refusal = {
  status: 400,
  body: { status: 'error', message: 'Property values were not valid: []', category: 'VALIDATION_ERROR' },
};

/** What the cases have in common. */
const common = {
  start,
  open,
  secrets: [secret],
  http: {
    fake: (fake: HubspotFake) => fake,
    isWrite: ({ path }: FakeRequest) => /batch\/(create|update|upsert|archive|associate)|memberships\//.test(path),
    throttled: (wait: number) => hubspotThrottled(wait),
    wholeRefusal: refusal,
  },
} satisfies Partial<ApplicationCase<HubspotFake>>;

type Matched = Pick<RowValues, 'match'>;

function textOf({ match }: Matched, field: string): string {
  const value = match[field];
  assert.ok(typeof value === 'string');
  return value;
}

const email = (no: number): string => `Person.${no}@Example.com`;
const stored = (fake: HubspotFake, type: string, property: string, value: string) => fake.of(type).find(value, property)?.properties;

describe('HubSpot', () => {
  describeApplication<HubspotFake>({
    ...common,
    name: 'contacts by email',
    request: { object: 'contacts' },
    operations: ['upsert', 'update', 'create', 'delete', 'archive'],
    row: (no, version) => ({
      match: { email: email(no) },
      fields: {
        firstname: `Ada ${version}`,
        health_score: no + version,
        is_vip: no % 2 === 0,
        lifecyclestage: 'lead',
        renewal_date: '2026-03-01',
      },
    }),
    seed: (fake, rows) => {
      for (const { match } of rows) fake.seed('contacts', { email: textOf({ match }, 'email') });
    },
    stored: (fake, { match }) => stored(fake, 'contacts', 'email', textOf({ match }, 'email')),
    refused: { operation: 'upsert', row: (no) => ({ match: { email: email(no) }, fields: { health_score: 'much too high' } }) },
    missing: { object: 'contactz', nearest: 'contacts' },
  });

  describeApplication<HubspotFake>({
    ...common,
    name: 'custom objects by a unique property',
    request: { object: 'subscriptions' },
    operations: ['create', 'update', 'upsert', 'delete', 'archive'],
    row: (no, version) => ({
      match: { subscription_no: `S-${no}` },
      fields: { seats: no + version, state: version > 0 ? 'cancelled' : 'active' },
    }),
    seed: (fake, rows) => {
      for (const { match } of rows) fake.seed('subscriptions', { subscription_no: textOf({ match }, 'subscription_no') });
    },
    stored: (fake, { match }) => stored(fake, 'subscriptions', 'subscription_no', textOf({ match }, 'subscription_no')),
    refused: { operation: 'update', row: (no) => ({ match: { subscription_no: `S-${no}` }, fields: { state: 'paused' } }) },
    missing: { object: 'subscription', nearest: 'subscriptions' },
  });

  describeApplication<HubspotFake>({
    ...common,
    name: 'members of a list by email',
    request: { object: 'lists/42' },
    start: async () => {
      const fake = await start();
      fake.memberships.addList('42', 'At risk');
      return fake;
    },
    operations: ['add', 'remove'],
    row: (no) => ({ match: { email: email(no) }, fields: {} }),
    seed: (fake, rows, operation) => {
      for (const { match } of rows) {
        const id = fake.seed('contacts', { email: textOf({ match }, 'email') });
        if (operation === 'remove') fake.memberships.lists.get('42')?.members.add(id);
      }
    },
    stored: (fake, { match }) => {
      const id = fake.of('contacts').find(textOf({ match }, 'email'), 'email')?.id ?? '';
      return fake.memberships.lists.get('42')?.members.has(id) === true ? {} : undefined;
    },
  });

  const pair = (fake: HubspotFake, row: Matched) => {
    const from = fake.of('contacts').find(textOf(row, 'from.email'), 'email')?.id;
    const to = fake.of('companies').find(textOf(row, 'to.account_no'), 'account_no')?.id;
    return `associations/contacts/companies ${from}:${to}`;
  };
  describeApplication<HubspotFake>({
    ...common,
    name: 'associations by email and account',
    request: { object: 'associations/contacts/companies' },
    operations: ['add', 'remove'],
    row: (no) => ({ match: { 'from.email': email(no), 'to.account_no': `A-${no}` }, fields: {} }),
    seed: (fake, rows, operation) => {
      for (const row of rows) {
        fake.seed('contacts', { email: textOf(row, 'from.email') });
        fake.seed('companies', { account_no: textOf(row, 'to.account_no') });
        if (operation === 'remove') fake.memberships.pairs.add(pair(fake, row));
      }
    },
    stored: (fake, row) => (fake.memberships.pairs.has(pair(fake, row)) ? {} : undefined),
  });
});
