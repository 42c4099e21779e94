import assert from 'node:assert/strict';
import type { Application, OutgoingRow } from '../../connectors/application.ts';
import type { SalesforceSettings } from '../../connectors/salesforce/settings.ts';
import type { Operation } from '../../schema/sync.ts';
import { ExactNumber } from '../../schema/value.ts';
import { salesforceApp, salesforceKey } from '../fakes/salesforce.ts';
import { failureOf, outcomesOf } from '../kits/application-case.ts';
import { memoryContext } from '../kits/memory-stores.ts';
import { testAttempt } from '../kits/source.ts';
import { accountOf, addAccount, openOrg, row, startOrg, type Opened, type SalesforceOrg } from './salesforce-kit.ts';

const { clientId: client_id, clientSecret: client_secret, refreshToken: refresh_token, user } = salesforceApp;

async function withOrg(work: (org: SalesforceOrg) => Promise<void>): Promise<void> {
  await using org = await startOrg();
  await work(org);
}
async function withAccounts(work: (application: Application, org: SalesforceOrg) => Promise<void>, opened: Opened = {}): Promise<void> {
  await withOrg(async (org) => {
    await using application = await openOrg(org, opened);
    await work(application, org);
  });
}
const sent = async (application: Application, operation: Operation, rows: readonly OutgoingRow[]): Promise<string> =>
  (await outcomesOf(application, { operation, rows })).map(({ status }) => status).join(' ');
const byId = { request: { match: ['Id'] } };

describe('salesforce logs in', () => {
  const auths: Readonly<Record<string, SalesforceSettings['auth']>> = {
    'client credentials': { type: 'client-credentials', client_id, client_secret },
    'a refresh token': { type: 'refresh-token', client_id, client_secret, refresh_token },
    'a signed assertion': { type: 'jwt-bearer', client_id, user, private_key: salesforceKey },
  };
  for (const [name, auth] of Object.entries(auths)) {
    it(`with ${name}, and again when its session ends`, () =>
      withAccounts(
        async (application, org) => {
          assert.equal(await sent(application, 'upsert', [row(1)]), 'acknowledged');
          org.vendor.endSessions();
          assert.equal(await sent(application, 'upsert', [row(2)]), 'acknowledged');
          assert.equal(org.fake.requests.filter(({ path }) => path.endsWith('/token')).length, 2);
        },
        { settings: { auth } },
      ));
  }

  it('with the refresh token that came last, as each is good once', () =>
    withOrg(async (org) => {
      const opened = {
        settings: { auth: { type: 'refresh-token', client_id, client_secret, refresh_token } },
        context: memoryContext(),
      } as const;
      for (const no of [1, 2, 3]) {
        await using application = await openOrg(org, opened);
        org.vendor.endSessions();
        assert.equal(await sent(application, 'upsert', [row(no)]), 'acknowledged');
      }
      assert.notEqual(org.vendor.refreshToken, refresh_token);
    }));
});

describe('salesforce', () => {
  it('waits long when the requests of the day are used up', () =>
    withAccounts(async (application, org) => {
      org.vendor.dailyLeft = 0;
      const failure = await failureOf(sent(application, 'upsert', [row(1)]), [client_secret]);
      assert.equal(failure.code, 'rate-limited');
      assert.ok((failure.retryAfter ?? 0) >= 5 * 60_000, String(failure.retryAfter));
    }));

  it('says in check how little is left of the day', () =>
    withAccounts(async (application, org) => {
      org.vendor.dailyLeft = 1_000;
      const { warnings } = await application.check(testAttempt());
      assert.match(warnings.join(), /99\d\d\d of the 100000 API requests/);
    }));

  it('tells a lock from a refusal, row by row, without the values of rows', () =>
    withAccounts(async (application, org) => {
      org.vendor.store.locked.set('ext-2', 1);
      const rows = [row(1), row(2), row(3, { Tier__c: 'platinum' }), row(4, { Name: null })];
      const outcomes = await outcomesOf(application, { operation: 'upsert', rows });
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['acknowledged', 'again', 'rejected', 'rejected'],
      );
      const [, , picklist, required] = outcomes;
      assert.ok(picklist?.status === 'rejected' && required?.status === 'rejected');
      assert.equal(required.code, 'REQUIRED_FIELD_MISSING');
      assert.equal(
        picklist.reason,
        'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: Tier__c: bad value for restricted picklist field: … (Tier__c)',
      );
    }));

  it('refuses both of two rows with the same external id', () =>
    withAccounts(async (application) => {
      assert.equal(await sent(application, 'upsert', [row(1), row(2), row(1)]), 'rejected acknowledged rejected');
    }));

  it('a value of the wrong type refuses the batch, for it to be halved; an unknown field stops the sync', () =>
    withAccounts(async (application, org) => {
      const wrong = await failureOf(sent(application, 'upsert', [row(1), row(2, { AnnualRevenue: 'much' })]), []);
      assert.equal(wrong.code, 'rejected');
      const unknown = await failureOf(sent(application, 'upsert', [row(1, { Nope__c: 'x' })]), []);
      assert.deepEqual([unknown.code, unknown.message.includes('Nope__c')], ['config', true]);
      assert.equal(org.fake.effects.length, 0);
    }));

  it('writes values as the fields take them', () =>
    withAccounts(async (application, org) => {
      const fields = {
        Name: 42,
        Tags__c: ['a', 'b'],
        Seen__c: '2026-01-02T03:04:05.123456+00',
        Description: { a: 1 },
        AnnualRevenue: new ExactNumber('12.50'),
      };
      assert.equal(await sent(application, 'upsert', [row(1, fields)]), 'acknowledged');
      const { Name, Tags__c, Seen__c, Description, AnnualRevenue } = accountOf(org, 1) ?? {};
      assert.deepEqual(
        [Name, Tags__c, Seen__c, Description, AnnualRevenue],
        ['42', 'a;b', '2026-01-02T03:04:05.123+00:00', '{"a":1}', 12.5],
      );
    }));

  for (const bulk of ['never', 'always']) {
    it(`sets a reference by a field of the other object, and empties it${bulk === 'always' ? ', in jobs too' : ''}`, () =>
      withAccounts(
        async (application, org) => {
          const parent = addAccount(org, 1);
          const setting = [row(2, { 'Parent.External__c': 'ext-1' }), row(3, { 'Parent.External__c': 'ext-0' })];
          assert.equal(await sent(application, 'upsert', setting), 'acknowledged rejected');
          assert.equal(accountOf(org, 2)?.['ParentId'], parent);
          assert.equal(await sent(application, 'upsert', [row(2, { 'Parent.External__c': null })]), 'acknowledged');
          assert.equal(accountOf(org, 2)?.['ParentId'], null);
        },
        { request: { write: { bulk } } },
      ));
  }

  it('update never creates, and names what finds nothing', () =>
    withAccounts(async (application, org) => {
      addAccount(org, 1);
      const outcomes = await outcomesOf(application, { operation: 'update', rows: [row(1, { AnnualRevenue: 2 }), row(2)] });
      assert.deepEqual(outcomes[1], { status: 'rejected', code: 'NOT_FOUND', reason: 'no Account has this External__c' });
      assert.deepEqual([org.fake.effects.length, accountOf(org, 1)?.['AnnualRevenue']], [1, 2]);
    }));

  it('a remembered id whose object was made anew is looked up, for updates and deletes', () =>
    withAccounts(async (application, org) => {
      const remoteId = addAccount(org, 1);
      org.vendor.store.take('Account', remoteId);
      addAccount(org, 1);
      assert.equal(await sent(application, 'update', [row(1, { AnnualRevenue: 9 }, { remoteId })]), 'acknowledged');
      assert.equal(accountOf(org, 1)?.['AnnualRevenue'], 9);
      assert.equal(
        await sent(application, 'delete', [row(1, {}, { remoteId }), row(2, {}, { remoteId: '001000000000999AAA' })]),
        'acknowledged acknowledged',
      );
      assert.equal(accountOf(org, 1), undefined);
    }));

  it('by Id updates and deletes, and has nothing to create', () =>
    withAccounts(async (application, org) => {
      const id = addAccount(org, 1);
      assert.deepEqual(Object.keys(application.writes).toSorted(), ['delete', 'update']);
      const one = row(1, { AnnualRevenue: 8 }, { match: { Id: id.slice(0, 15) } });
      assert.equal(await sent(application, 'update', [one]), 'acknowledged');
      assert.equal(accountOf(org, 1)?.['AnnualRevenue'], 8);
      assert.equal(
        await sent(application, 'delete', [one, { ...one, no: 2, match: { Id: '001000000000777AAA' } }]),
        'acknowledged acknowledged',
      );
    }, byId));

  it('finds by values of any text or number, many at a time', () =>
    withOrg(async (org) => {
      const odd = [`O'Neil \\ "x"`, 'line\nbreak', 'ÄÖ ü', ...Array.from({ length: 500 }, (_, no) => `${no}-${'x'.repeat(50)}`)];
      const ids = odd.map((text) => org.vendor.store.add('Account', { Name: 'n', External__c: text }));
      await using byText = await openOrg(org);
      const rows = [...odd, 'nobody'].map((External__c, no) => row(no, {}, { match: { External__c } }));
      assert.deepEqual(await byText.find?.(rows, testAttempt()), [...ids, undefined]);
      const numbered = org.vendor.store.add('Account', { Name: 'n', Number__c: 17 });
      await using byNumber = await openOrg(org, { request: { match: ['Number__c'] } });
      const found = await byNumber.find?.(
        [row(1, {}, { match: { Number__c: new ExactNumber('17.0') } }), row(2, {}, { match: { Number__c: 18 } })],
        testAttempt(),
      );
      assert.deepEqual(found, [numbered, undefined]);
    }));

  it('describes types, what is required, picklists, read-only fields and references by another field', () =>
    withAccounts(
      async (application) => {
        const { fields, closed } = await application.describe(testAttempt());
        const of = (name: string) => fields.find((field) => field.name === name);
        assert.equal(closed, true);
        assert.deepEqual(of('Name'), { name: 'Name', type: 'string', required: true, readOnly: false, unique: false, maxLength: 40 });
        assert.deepEqual(of('Tier__c')?.options, ['gold', 'silver']);
        assert.deepEqual([of('External__c')?.unique, of('CreatedDate')?.readOnly, of('Active__c')?.required], [true, true, false]);
        assert.equal(of('Parent.External__c')?.type, 'string');
        assert.deepEqual(await application.objects(testAttempt()), ['Account', 'Health_Score__c']);
      },
      { request: { fields: ['Name', 'Parent.External__c'] } },
    ));

  it('takes one field to find an object by', () =>
    withOrg(async (org) => {
      const opening = openOrg(org, { request: { match: ['External__c', 'Name'] } });
      assert.equal((await failureOf(opening, [])).code, 'config');
    }));
});
