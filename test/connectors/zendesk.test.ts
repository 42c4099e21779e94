import assert from 'node:assert/strict';
import type { Application, Batch, Outcome, Polled, StartedJob } from '../../connectors/application.ts';
import { zendesk } from '../../connectors/zendesk/index.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { FakeRequest } from '../fakes/fake.ts';
import { outcomesOf, outgoing, type RowValues } from '../kits/application-case.ts';
import { testAttempt } from '../kits/source.ts';
import { openZendesk, startZendesk, stored, type ZendeskSystem } from './zendesk-case.ts';

const user = (id: string, fields: RowValues['fields'] = { name: `Name of ${id}` }): RowValues => ({ match: { external_id: id }, fields });
const batchOf = (operation: Batch['operation'], ...values: readonly RowValues[]): Batch => ({
  operation,
  rows: values.map((value, no) => outgoing(no, value)),
});
const many = (count: number, prefix = 'user'): readonly RowValues[] => Array.from({ length: count }, (_, no) => user(`${prefix}-${no}`));
const statuses = (outcomes: readonly Outcome[]): readonly string[] => outcomes.map(({ status }) => status);
const isPoll = ({ path }: FakeRequest): boolean => path.includes('job_statuses');
const requests = ({ fake }: ZendeskSystem, pattern: RegExp): number => fake.requests.filter(({ path }) => pattern.test(path)).length;

const failsWith =
  (code: string, pattern: RegExp) =>
  (error: unknown): boolean =>
    error instanceof MillraceError && error.code === code && pattern.test(error.message);

async function start(application: Application, batch: Batch): Promise<StartedJob> {
  const sent = await application.send(batch, testAttempt());
  assert.ok('handle' in sent, 'it is a job');
  return sent;
}

/** Polls jobs together until all have ended. */
async function polled(
  application: Application,
  jobs: readonly { readonly handle: string; readonly batch: Batch }[],
): Promise<readonly Polled[]> {
  for (let turn = 0; turn < 20; turn += 1) {
    const answers = (await application.poll?.(jobs, testAttempt())) ?? [];
    if (answers.every((answer) => !('after' in answer))) return answers;
  }
  return assert.fail('the jobs do not end');
}

/** The outcomes of a job that Zendesk tells of in these words. */
async function told(system: ZendeskSystem, batch: Batch, status: object): Promise<readonly Outcome[]> {
  await using application = await openZendesk(system, {});
  const { handle } = await start(application, batch);
  const { jobs } = JSON.parse(handle) as { readonly jobs: readonly { readonly id: string }[] };
  system.fake.trouble({ matches: isPoll, answer: { status: 200, body: { job_statuses: [{ id: jobs[0]?.id, ...status }] } } });
  const [answer] = (await application.poll?.([{ handle, batch }], testAttempt())) ?? [];
  return answer !== undefined && 'outcomes' in answer ? answer.outcomes : assert.fail(JSON.stringify(answer));
}

describe('Zendesk', () => {
  it('takes 100 rows a job, and tells of all jobs in one request', async () => {
    await using system = await startZendesk();
    await using application = await openZendesk(system, {});
    assert.deepEqual([application.limits.batchRows, application.limits.jobs], [100, 30]);
    const jobs = [];
    for (let no = 0; no < 5; no += 1) {
      const batch = batchOf('upsert', ...many(100, `job-${no}`));
      jobs.push({ batch, ...(await start(application, batch)) });
    }
    const answers = await polled(application, jobs);
    assert.ok(answers.every((answer) => 'outcomes' in answer && answer.outcomes.every(({ status }) => status === 'acknowledged')));
    assert.equal(system.fake.records().get('users')?.length, 500);
    assert.equal(requests(system, /show_many/), 2, 'one request for each turn');
  });

  it('a handle is small: the heartbeat carries those of 30 jobs', async () => {
    await using system = await startZendesk();
    await using application = await openZendesk(system, {});
    const { handle } = await start(application, batchOf('upsert', ...many(100)));
    assert.ok(handle.length < 100, String(handle.length));
  });

  it('a row is refused with the reason, without the address; a conflict is sent again', async () => {
    await using system = await startZendesk();
    system.vendor.add('users', { name: 'Other', email: 'taken@example.com' });
    system.vendor.conflicts.set('b', 1);
    await using application = await openZendesk(system, {});
    const batch = batchOf('upsert', user('a', { name: 'A', email: 'taken@example.com' }), user('b'), user('c'));
    const [first, second, third] = await outcomesOf(application, { ...batch, operation: 'create' });
    assert.deepEqual(first, { status: 'rejected', reason: 'Email: … is already being used by another user', code: 'RecordInvalid' });
    assert.deepEqual([second?.status, third?.status], ['again', 'acknowledged']);
    const [again] = await outcomesOf(application, batchOf('upsert', user('b')));
    assert.equal(again?.status, 'acknowledged');
  });

  it('bulk imports that are not enabled stop the sync with what to do; mode update works without them', async () => {
    await using system = await startZendesk({ bulkImport: false });
    system.vendor.add('users', { external_id: 'a', name: 'A' });
    await using application = await openZendesk(system, {});
    await assert.rejects(
      application.send(batchOf('upsert', user('a')), testAttempt()),
      failsWith('config', /not enabled.*Zendesk support.*mode update/),
    );
    assert.deepEqual(statuses(await outcomesOf(application, batchOf('update', user('a', { notes: 'new' })))), ['acknowledged']);
  });

  it('too many jobs are a wait, without any effect', async () => {
    await using system = await startZendesk();
    for (let no = 0; no < 30; no += 1) system.vendor.jobs.submit('Ticket', 1, () => []);
    system.vendor.jobs.time = 60_000;
    await using application = await openZendesk(system, {});
    await assert.rejects(application.send(batchOf('upsert', user('a')), testAttempt()), failsWith('rate-limited', /./));
    assert.equal(system.fake.effects.length, 0);
  });

  it('update creates nothing: a row without an object is not found', async () => {
    await using system = await startZendesk();
    system.vendor.add('users', { external_id: 'B', name: 'B' });
    await using application = await openZendesk(system, {});
    const fields = { notes: 'new' };
    const outcomes = await outcomesOf(application, batchOf('update', user('a', fields), user('b', fields), user('c', fields)));
    assert.deepEqual(statuses(outcomes), ['rejected', 'acknowledged', 'rejected']);
    assert.match(JSON.stringify(outcomes[0]), /not found/);
    assert.equal(stored(system, 'users', { external_id: 'B' })?.['notes'], 'new');
    const before = requests(system, /update_many/);
    assert.ok(Array.isArray(await application.send(batchOf('update', user('a', fields)), testAttempt())), 'nothing to do is no job');
    assert.equal(requests(system, /update_many/), before);
  });

  it('a user that was deleted is not found any more, and can be made again', async () => {
    await using system = await startZendesk();
    system.vendor.add('users', { external_id: 'a', name: 'A' });
    await using application = await openZendesk(system, {});
    assert.deepEqual(statuses(await outcomesOf(application, batchOf('delete', user('a')))), ['acknowledged']);
    assert.deepEqual(statuses(await outcomesOf(application, batchOf('update', user('a')))), ['rejected']);
    assert.deepEqual(statuses(await outcomesOf(application, batchOf('create', user('a')))), ['acknowledged']);
  });

  it('a look-up that is answered with something else proves nothing: no delete is taken for done', async () => {
    await using system = await startZendesk();
    system.vendor.add('users', { external_id: 'a', name: 'A' });
    await using application = await openZendesk(system, {});
    system.fake.trouble({ matches: ({ path }) => path.includes('show_many'), times: 10, answer: { status: 200, body: {} } });
    await assert.rejects(application.send(batchOf('delete', user('a')), testAttempt()), failsWith('unavailable', /documents/));
  });

  it('a job whose answer was lost, and that runs late, makes no second user', async () => {
    await using system = await startZendesk();
    system.vendor.jobs.held = true;
    await using application = await openZendesk(system, {});
    const batch = batchOf('create', user('a'));
    await start(application, batch);
    assert.deepEqual(await application.find?.(batch.rows, testAttempt()), [undefined], 'it has not run yet');
    const second = await start(application, batch);
    system.vendor.jobs.runAll();
    const [answer] = await polled(application, [{ batch, handle: second.handle }]);
    assert.ok(answer !== undefined && 'outcomes' in answer);
    assert.deepEqual(statuses(answer.outcomes), ['unknown'], 'to be settled by a look-up');
    assert.notEqual((await application.find?.(batch.rows, testAttempt()))?.[0], undefined);
    assert.equal(system.fake.effects.filter(({ operation }) => operation === 'create').length, 1);
  });

  it('the effect comes when the job runs, whether or not anybody polls', async () => {
    await using system = await startZendesk();
    await using application = await openZendesk(system, {});
    await start(application, batchOf('upsert', user('a')));
    assert.equal(system.fake.effects.length, 1);
    await outcomesOf(application, batchOf('upsert', user('a')));
    assert.deepEqual(
      system.fake.effects.map(({ operation }) => operation),
      ['create', 'update'],
    );
  });

  it('organizations are created and updated by two jobs, and one that came in between is sent again', async () => {
    await using system = await startZendesk();
    system.vendor.add('organizations', { external_id: 'old', name: 'Old' });
    await using application = await openZendesk(system, { object: 'organizations' });
    const batch = batchOf('upsert', user('old', { details: 'x' }), user('new', { name: 'New' }));
    assert.deepEqual(statuses(await outcomesOf(application, batch)), ['acknowledged', 'acknowledged']);
    assert.deepEqual([requests(system, /create_many/), requests(system, /update_many/)], [1, 1]);
    system.vendor.jobs.held = true;
    const late = batchOf('upsert', user('late', { name: 'Late' }));
    const { handle } = await start(application, late);
    system.vendor.add('organizations', { external_id: 'late', name: 'Late too' });
    system.vendor.jobs.runAll();
    const [answer] = await polled(application, [{ batch: late, handle }]);
    assert.ok(answer !== undefined && 'outcomes' in answer);
    assert.deepEqual(statuses(answer.outcomes), ['again']);
  });

  it('a job that was stopped leaves the rows without a result unknown', async () => {
    await using system = await startZendesk();
    system.vendor.jobs.failing.push(1);
    await using application = await openZendesk(system, {});
    assert.deepEqual(statuses(await outcomesOf(application, batchOf('upsert', ...many(3)))), ['acknowledged', 'unknown', 'unknown']);
  });

  it('results belong to rows by index, else by their order when all are there, else to none', async () => {
    await using system = await startZendesk();
    const batch = batchOf('upsert', ...many(3));
    const failed = { id: 2, error: 'UserUpdateError', details: 'Name: is too short', status: 'Failed' };
    const done = { id: 91, status: 'Created' };
    const completed = (...results: readonly object[]): object => ({ status: 'completed', results });
    assert.deepEqual(statuses(await told(system, batch, completed(done, done, failed))), ['acknowledged', 'acknowledged', 'rejected']);
    const indexed = completed({ ...failed, index: 0 }, { ...done, index: 2 });
    assert.deepEqual(statuses(await told(system, batch, indexed)), ['rejected', 'unknown', 'acknowledged']);
    assert.deepEqual(statuses(await told(system, batch, completed(done, failed))), ['unknown', 'unknown', 'unknown']);
    assert.deepEqual(statuses(await told(system, batch, { status: 'killed', results: null })), ['unknown', 'unknown', 'unknown']);
  });

  it('results belong to the same rows when the batch is polled in another order', async () => {
    await using system = await startZendesk();
    await using application = await openZendesk(system, {});
    const batch = batchOf('upsert', user('a'), user('b', { name: '' }), user('c'));
    const shuffled = { ...batch, rows: [2, 0, 1].flatMap((no) => batch.rows[no] ?? []) };
    const { handle } = await start(application, shuffled);
    const [answer] = await polled(application, [{ handle, batch }]);
    assert.ok(answer !== undefined && 'outcomes' in answer);
    assert.deepEqual(statuses(answer.outcomes), ['acknowledged', 'rejected', 'acknowledged']);
  });

  it('tags replace what is there, custom fields and organizations are nested, NULL empties', async () => {
    await using system = await startZendesk();
    await using application = await openZendesk(system, {});
    const fields = { name: 'A', tags: 'vip, eu', 'user_fields.plan': 'gold', 'organization.name': 'Acme', notes: null };
    await outcomesOf(application, batchOf('upsert', user('a', fields)));
    const [effect] = system.fake.effects;
    assert.deepEqual(effect?.fields, {
      skip_verify_email: true,
      name: 'A',
      tags: ['vip', 'eu'],
      notes: null,
      user_fields: { plan: 'gold' },
      organization: { name: 'Acme' },
      external_id: 'a',
    });
    await outcomesOf(application, batchOf('update', user('a', { tags: null })));
    assert.deepEqual(stored(system, 'users', { external_id: 'a' })?.['tags'], []);
  });

  it('new users get a mail from Zendesk only where that is asked for', async () => {
    await using system = await startZendesk();
    await using application = await openZendesk(system, { write: { verify_email: true } });
    await outcomesOf(application, batchOf('upsert', user('a')));
    assert.equal('skip_verify_email' in (system.fake.effects[0]?.fields ?? {}), false);
  });

  it('finds users by e-mail address and by id, and external ids with commas', async () => {
    await using system = await startZendesk();
    const id = system.vendor.add('users', { external_id: 'x,y', name: 'A', email: 'A@example.com' });
    for (const [field, value] of Object.entries({ email: 'a@EXAMPLE.com', id: String(id), external_id: 'x,y' })) {
      await using application = await openZendesk(system, { match: [field] });
      const row = { match: { [field]: value }, fields: { notes: `by ${field}` } };
      assert.deepEqual(await outcomesOf(application, batchOf('update', row)), [{ status: 'acknowledged', remoteId: String(id) }]);
      assert.equal(stored(system, 'users', { id })?.['notes'], `by ${field}`);
      const operations = Object.keys(application.writes).toSorted();
      assert.deepEqual(operations, field === 'id' ? ['delete', 'update'] : ['create', 'delete', 'update', 'upsert']);
    }
  });

  it('describe gives custom fields with types, drop-downs with their tags, without those that are off', async () => {
    const userFields = [
      { key: 'plan', type: 'dropdown', options: ['plan_free', 'plan_gold'] },
      { key: 'since', type: 'date' },
      { key: 'seats', type: 'integer' },
      { key: 'old', type: 'text', active: false },
    ];
    await using system = await startZendesk({ userFields });
    await using application = await openZendesk(system, {});
    const { fields, closed } = await application.describe(testAttempt());
    const own = fields.filter(({ name }) => name.startsWith('user_fields.'));
    assert.equal(closed, true);
    assert.deepEqual(
      own.map(({ name, type, options }) => [name, type, options]),
      [
        ['user_fields.plan', 'enum', ['plan_free', 'plan_gold']],
        ['user_fields.since', 'date', undefined],
        ['user_fields.seats', 'integer', undefined],
      ],
    );
  });

  it('takes an OAuth token in place of an API token, and not both', async () => {
    await using system = await startZendesk();
    await using application = await openZendesk(system, {}, {}, { oauth_token: system.vendor.token });
    assert.deepEqual((await application.check(testAttempt())).problems, []);
    const base = { type: 'zendesk', url: 'https://acme.zendesk.com' };
    assert.equal(zendesk.settings.safeParse(base).success, false);
    assert.equal(zendesk.settings.safeParse({ ...base, email: 'a', api_token: 'b', oauth_token: 'c' }).success, false);
  });

  it('check names a user who may not write, one that is nobody, and a match that finds nothing', async () => {
    await using system = await startZendesk();
    await using application = await openZendesk(system, { match: ['phone'] });
    const me = (given: object): void =>
      system.fake.trouble({ matches: ({ path }) => path.includes('users/me'), answer: { status: 200, body: { user: given } } });
    me({ id: null, role: 'end-user' });
    assert.match(
      (await application.check(testAttempt())).problems.join(),
      /does not know the agent.*matched by exactly one of external_id, email, id/,
    );
    me({ id: 5, role: 'end-user' });
    assert.match((await application.check(testAttempt())).problems.join(), /end user/);
  });
});
