import assert from 'node:assert/strict';
import type { Application, ApplicationRequest, Batch, Outcome, OutgoingRow } from '../../connectors/application.ts';
import { connectorOf } from '../../connectors/registry.ts';
import { ExactNumber } from '../../schema/value.ts';
import { hubspotThrottled, startHubspot, type HubspotFake } from '../fakes/hubspot.ts';
import { failureOf, outgoing, type RowValues } from '../kits/application-case.ts';
import { memoryContext } from '../kits/memory-stores.ts';
import { testAttempt } from '../kits/source.ts';
import { open, secret, settingsOf, start } from './hubspot-case.ts';

type Request = Partial<ApplicationRequest>;

/** Runs a test on an account with one object of it open. */
async function withObject(request: Request, work: (application: Application, fake: HubspotFake) => Promise<void>): Promise<void> {
  await using fake = await start();
  const whole = { object: 'contacts', match: ['email'], fields: [], write: {}, ...request };
  await using application = await open(fake, { request: whole, context: memoryContext(), wrongCredential: false });
  await work(application, fake);
}

const rowsOf = (...values: readonly RowValues[]): readonly OutgoingRow[] => values.map((value, no) => outgoing(no + 1, value));
const contact = (no: number, fields: RowValues['fields'] = { plan: 'pro' }): RowValues => ({
  match: { email: `p${no}@example.com` },
  fields,
});

async function send(application: Application, operation: Batch['operation'], ...values: readonly RowValues[]): Promise<readonly Outcome[]> {
  const sent = await application.send({ operation, rows: rowsOf(...values) }, testAttempt());
  assert.ok(!('handle' in sent));
  return sent;
}

const statuses = (outcomes: readonly Outcome[]): readonly string[] => outcomes.map(({ status }) => status);
const writes = ({ requests }: HubspotFake) => requests.filter(({ path }) => /batch\/(create|update|upsert|archive)$/.test(path));
/** What the first request that writes holds. */
function inputsOf(fake: HubspotFake): readonly { readonly objectWriteTraceId: string; readonly properties: unknown }[] {
  const [first] = writes(fake);
  assert.ok(first);
  return (first.body as { inputs: ReturnType<typeof inputsOf> }).inputs;
}

const complete = (body: object) => ({ status: 200, body: { status: 'COMPLETE', results: [], ...body } });

describe('HubSpot, what is its own', () => {
  it('a refused row is told by its trace, with the property and without its value', () =>
    withObject({}, async (application, fake) => {
      const outcomes = await send(
        application,
        'upsert',
        contact(1),
        contact(2, { health_score: 'sky-high' }),
        contact(3, { nickname: 'x' }),
      );
      assert.deepEqual(statuses(outcomes), ['acknowledged', 'rejected', 'rejected']);
      const [, second, third] = outcomes.map((outcome) => ('reason' in outcome ? outcome.reason : ''));
      assert.equal(second, 'health_score: INVALID_LONG (… was not a valid number.)');
      assert.match(third ?? '', /^nickname: PROPERTY_DOESNT_EXIST/);
      const inputs = inputsOf(fake);
      assert.equal(new Set(inputs.map(({ objectWriteTraceId }) => objectWriteTraceId)).size, 3);
    }));

  it('a value too long for a pattern is refused alone, and is not in the reason', () =>
    withObject({}, async (application) => {
      const outcomes = await send(application, 'upsert', contact(1), contact(2, { firstname: '(x'.repeat(35_000) }));
      assert.deepEqual(statuses(outcomes), ['acknowledged', 'rejected']);
      const [, second] = outcomes.map((outcome) => ('reason' in outcome ? outcome.reason : ''));
      assert.match(second ?? '', /^firstname: /);
      assert.ok(!(second ?? '').includes('(x(x'), second?.slice(0, 200));
    }));

  it('values go as text: NULL clears, lists take semicolons, exact numbers stay exact, times keep milliseconds', () =>
    withObject({}, async (application, fake) => {
      fake.seed('contacts', { email: 'p1@example.com', plan: 'pro' });
      const fields = { plan: null, segment: ['a', 'b'], lifetime_value: new ExactNumber('12345678901234567890.5'), is_vip: true };
      const outcomes = await send(application, 'upsert', contact(1, { ...fields, last_seen: '2026-01-02T03:04:05.123456Z' }));
      assert.deepEqual(statuses(outcomes), ['acknowledged']);
      const inputs = inputsOf(fake);
      assert.deepEqual(inputs[0]?.properties, {
        plan: '',
        segment: 'a;b',
        lifetime_value: '12345678901234567890.5',
        is_vip: 'true',
        last_seen: '2026-01-02T03:04:05.123Z',
      });
      assert.equal(fake.of('contacts').find('p1@example.com', 'email')?.properties['plan'], undefined);
    }));

  it('errors under a good status and without a result refuse the batch, and a row that stands alone', () =>
    withObject({}, async (application, fake) => {
      const answer = complete({ errors: [{ category: 'VALIDATION_ERROR', message: 'no good' }] });
      fake.trouble({ answer, times: 2 });
      const failure = await failureOf(send(application, 'upsert', contact(1), contact(2)), [secret]);
      assert.deepEqual([failure.code, failure.message.endsWith('no good')], ['rejected', true]);
      const [alone] = await send(application, 'upsert', contact(1));
      assert.deepEqual(alone, { status: 'rejected', reason: 'no good', code: 'VALIDATION_ERROR' });
    }));

  it('a row with neither result nor error is rejected, but for a create, which may have been made', () =>
    withObject({}, async (application, fake) => {
      fake.trouble({ answer: complete({}), times: 2 });
      assert.deepEqual(statuses(await send(application, 'update', contact(1), contact(2))), ['rejected', 'rejected']);
      assert.deepEqual(statuses(await send(application, 'create', contact(1), contact(2))), ['unknown', 'unknown']);
    }));

  it('what is missing of an answer that is not complete is unknown', () =>
    withObject({}, async (application, fake) => {
      fake.trouble({ answer: { status: 200, body: { status: 'PROCESSING', results: [] } } });
      assert.deepEqual(statuses(await send(application, 'upsert', contact(1))), ['unknown']);
    }));

  it('locks are sent again after two seconds; an object that is there already is no lock', () =>
    withObject({}, async (application, fake) => {
      for (const status of [423, 409]) {
        fake.trouble({ answer: { status, body: { status: 'error', message: 'locked by another request' } } });
        const outcomes = await send(application, 'upsert', contact(1), contact(2));
        assert.deepEqual(
          outcomes.map((outcome) => outcome.status === 'again' && outcome.after),
          [2000, 2000],
        );
      }
      fake.trouble({ answer: { status: 409, body: { message: 'Contact already exists. Existing ID: 1', category: 'CONFLICT' } } });
      assert.equal((await failureOf(send(application, 'create', contact(1), contact(2)), [secret])).code, 'rejected');
    }));

  it('update of what is not there is rejected with the reason, and makes nothing', () =>
    withObject({}, async (application, fake) => {
      fake.seed('contacts', { email: 'p1@example.com' });
      const [there, absent] = await send(application, 'update', contact(1), contact(2));
      assert.equal(there?.status, 'acknowledged');
      assert.ok(absent?.status === 'rejected' && absent.code === 'OBJECT_NOT_FOUND' && absent.reason.startsWith('Object not found'));
      assert.equal(fake.of('contacts').byId.size, 1);
    }));

  it('hs_object_id goes as the id itself, and nothing is created by it', () =>
    withObject({ match: ['hs_object_id'] }, async (application, fake) => {
      const id = fake.seed('contacts', { email: 'p1@example.com' });
      assert.equal(application.writes.create, undefined);
      const outcomes = await send(application, 'upsert', { match: { hs_object_id: Number(id) }, fields: { plan: 'pro' } });
      assert.deepEqual(outcomes, [{ status: 'acknowledged', remoteId: id }]);
      const inputs = inputsOf(fake);
      assert.deepEqual(Object.keys(inputs[0] ?? {}), ['id', 'properties', 'objectWriteTraceId']);
    }));

  it('a daily limit, which ends nobody says when, waits an hour', () =>
    withObject({}, async (application, fake) => {
      fake.trouble({ answer: hubspotThrottled(0, 'DAILY') });
      const failure = await failureOf(send(application, 'upsert', contact(1)), [secret]);
      assert.deepEqual([failure.code, failure.retryAfter], ['rate-limited', 3_600_000]);
    }));

  it('missing scopes are named by check, and stop sending', () =>
    withObject({}, async (application, fake) => {
      fake.takeScopes(['crm.objects.contacts.write']);
      const { problems } = await application.check(testAttempt());
      assert.match(problems.join(), /crm\.objects\.contacts\.write/);
      assert.equal((await failureOf(send(application, 'upsert', contact(1)), [secret])).code, 'auth');
    }));

  it('describe gives types, options, what is required, read-only and unique', () =>
    withObject({ object: 'deals', match: ['order_no'] }, async (application) => {
      const { fields, closed } = await application.describe(testAttempt());
      const field = (name: string) => fields.find((one) => one.name === name);
      assert.equal(closed, true);
      assert.deepEqual(field('amount'), { name: 'amount', type: 'number', required: false, readOnly: false, unique: false });
      assert.deepEqual([field('order_no')?.unique, field('dealname')?.required, field('createdate')?.readOnly], [true, true, true]);
      assert.deepEqual(await application.objects(testAttempt()), ['contacts', 'companies', 'deals', 'tickets', 'subscriptions']);
    }));

  it('a custom object goes by its name or its id, and its schema says what it needs', async () => {
    for (const object of ['subscriptions', 'p4711_subscriptions', '2-3456'])
      await withObject({ object, match: ['subscription_no'] }, async (application) => {
        const { fields } = await application.describe(testAttempt());
        const { required, unique } = fields.find(({ name }) => name === 'subscription_no') ?? {};
        assert.deepEqual([required, unique], [true, true]);
        assert.deepEqual(fields.find(({ name }) => name === 'state')?.options, ['active', 'cancelled']);
      });
  });

  describe('by a property that is not unique', () => {
    const companies = { object: 'companies', match: ['domain'] };
    const company = (domain: string): RowValues => ({ match: { domain }, fields: { industry: 'retail' } });

    it('objects are searched, and one that several share is refused', () =>
      withObject(companies, async (application, fake) => {
        const id = fake.seed('companies', { domain: 'one.example' });
        for (const _ of [1, 2]) fake.seed('companies', { domain: 'two.example' });
        const outcomes = await send(application, 'update', company('ONE.example'), company('two.example'), company('none.example'));
        assert.deepEqual(statuses(outcomes), ['acknowledged', 'rejected', 'rejected']);
        assert.equal(fake.of('companies').byId.get(id)?.properties['industry'], 'retail');
        assert.ok(outcomes[1]?.status === 'rejected' && outcomes[1].code === 'AMBIGUOUS');
        const removed = await send(application, 'archive', company('none.example'), company('two.example'));
        assert.deepEqual(statuses(removed), ['acknowledged', 'rejected']);
      }));

    it('what was acknowledged is known by its id, without a search', () =>
      withObject(companies, async (application, fake) => {
        const remoteId = fake.seed('companies', { domain: 'two.example' });
        fake.seed('companies', { domain: 'two.example' });
        const rows = rowsOf(company('two.example')).map((row) => ({ ...row, remoteId }));
        assert.deepEqual(await application.send({ operation: 'update', rows }, testAttempt()), [{ status: 'acknowledged', remoteId }]);
        assert.ok(!fake.requests.some(({ path }) => path.endsWith('/search')));
      }));

    it('upsert is refused with the remedy; check says so before', async () => {
      await withObject({ ...companies, operations: ['upsert'] }, async (application) => {
        assert.equal((await failureOf(send(application, 'upsert', company('one.example')), [secret])).code, 'config');
        assert.match((await application.check(testAttempt())).problems.join(), /can't upsert companies by domain/);
      });
      await withObject({ ...companies, operations: ['update'] }, async (application) => {
        assert.match((await application.check(testAttempt())).warnings.join(), /searched/);
      });
    });
  });

  it('several match fields are a mistake of the project file', () =>
    withObject({ match: ['email', 'plan'] }, async (application) => {
      assert.match((await application.check(testAttempt())).problems.join(), /by one property/);
    }));

  describe('lists', () => {
    it('check refuses a dynamic list and one that is not there', async () => {
      await withObject({ object: 'lists/7' }, async (application, fake) => {
        assert.match((await application.check(testAttempt())).problems.join(), /List does not exist/);
        fake.memberships.addList('7', 'Chosen by HubSpot', 'DYNAMIC');
        assert.match((await application.check(testAttempt())).problems.join(), /dynamic/);
      });
    });

    it('an absent contact is refused alone, by e-mail and by id', async () => {
      await withObject({ object: 'lists/7' }, async (application, fake) => {
        fake.memberships.addList('7', 'Static');
        fake.seed('contacts', { email: 'p1@example.com' });
        assert.deepEqual(statuses(await send(application, 'add', contact(1), contact(2))), ['acknowledged', 'rejected']);
      });
      await withObject({ object: 'lists/7', match: ['hs_object_id'] }, async (application, fake) => {
        fake.memberships.addList('7', 'Static');
        const id = fake.seed('contacts', { email: 'p1@example.com' });
        const byId = (value: string): RowValues => ({ match: { hs_object_id: value }, fields: {} });
        assert.deepEqual(statuses(await send(application, 'add', byId('999'), byId(id))), ['rejected', 'acknowledged']);
        assert.deepEqual(statuses(await send(application, 'remove', byId('999'), byId(id))), ['acknowledged', 'acknowledged']);
        assert.equal(fake.memberships.lists.get('7')?.members.size, 0);
      });
    });
  });

  it('an association with a record that is not there is refused alone, with a label too', async () => {
    for (const write of [{}, { association_type: { id: 279 } }])
      await withObject({ object: 'associations/contacts/companies', match: ['from', 'to'], write }, async (application, fake) => {
        const [from, to] = [fake.seed('contacts', { email: 'p1@example.com' }), fake.seed('companies', { domain: 'one.example' })];
        const pair = (left: string, right: string): RowValues => ({ match: { from: left, to: right }, fields: {} });
        assert.deepEqual(statuses(await send(application, 'add', pair(from, to), pair(from, '999'))), ['acknowledged', 'rejected']);
        assert.deepEqual(statuses(await send(application, 'remove', pair(from, to), pair(from, '999'))), ['acknowledged', 'acknowledged']);
        assert.equal(fake.memberships.pairs.size, 0);
      });
  });

  it('gdpr_delete deletes for good, one record a request', () =>
    withObject({ write: { gdpr_delete: true } }, async (application, fake) => {
      fake.seed('contacts', { email: 'p1@example.com' });
      fake.seed('contacts', { email: 'p2@example.com' });
      assert.equal(application.limits.batchRows, 10);
      assert.deepEqual(statuses(await send(application, 'delete', contact(1), contact(2), contact(3))), Array(3).fill('acknowledged'));
      assert.equal(fake.requests.filter(({ path }) => path.endsWith('/gdpr-delete')).length, 2);
      assert.equal(fake.of('contacts').byId.size, 0);
    }));

  it('an installed app gets its tokens by the refresh token', async () => {
    await using fake = await startHubspot({ token: secret, refreshToken: 'refresh-me' });
    const { token: _token, ...settings } = settingsOf(fake);
    const oauth = { client_id: 'app', client_secret: 'app-secret', refresh_token: 'refresh-me' };
    const request = { object: 'contacts', match: ['email'], fields: [], write: {} };
    const opened = await connectorOf('hubspot', 'crm').openApplication({ ...settings, oauth }, 'crm', request, memoryContext());
    await using application = opened;
    assert.deepEqual(statuses(await send(application, 'upsert', contact(1))), ['acknowledged']);
    await assert.rejects(connectorOf('hubspot', 'crm').openApplication(settings, 'crm', request, memoryContext()), /either token or oauth/);
  });
});
