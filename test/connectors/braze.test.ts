import assert from 'node:assert/strict';
import { MillraceError } from '../../schema/errors.ts';
import { ExactNumber } from '../../schema/value.ts';
import { outgoing, type RowValues } from '../kits/application-case.ts';
import { testAttempt } from '../kits/source.ts';
import { type BrazeSystem, group, openBraze, profile, startBraze } from './braze-case.ts';

const user = (id: string, fields: RowValues['fields'] = {}): RowValues => ({ match: { external_id: id }, fields });
const rowsOf = (...values: readonly RowValues[]): ReturnType<typeof outgoing>[] => values.map((value, no) => outgoing(no, value));

/** Bodies of the requests to a path. */
const sent = ({ fake }: BrazeSystem, path: string): readonly Record<string, unknown[]>[] =>
  fake.requests.filter((request) => request.path === path).map(({ body }) => body as Record<string, unknown[]>);

const failsWith =
  (code: string, pattern: RegExp) =>
  (error: unknown): boolean =>
    error instanceof MillraceError && error.code === code && pattern.test(error.message);

describe('Braze', () => {
  it('bills by attribute: only changed ones are asked for, and what they cost is named', async () => {
    await using system = await startBraze();
    await using application = await openBraze(system, {});
    assert.deepEqual([application.changedOnly, application.costUnit, application.limits.batchRows], [true, 'data points', 75]);
    await application.send({ operation: 'upsert', rows: rowsOf(user('a', { score: 1 })) }, testAttempt());
    await application.send({ operation: 'update', rows: rowsOf(user('a', { tier: 'gold' })) }, testAttempt());
    const [, second] = sent(system, '/users/track');
    assert.deepEqual(second?.['attributes'], [{ _update_existing_only: true, tier: 'gold', external_id: 'a' }]);
    assert.deepEqual([profile(system, user('a'))?.['score'], profile(system, user('a'))?.['tier']], [1, 'gold']);
  });

  it('update makes no user; upsert does', async () => {
    await using system = await startBraze();
    await using application = await openBraze(system, {});
    await application.send({ operation: 'update', rows: rowsOf(user('a', { score: 1 })) }, testAttempt());
    assert.equal(profile(system, user('a')), undefined);
    await application.send({ operation: 'upsert', rows: rowsOf(user('a', { score: 1 })) }, testAttempt());
    assert.equal(profile(system, user('a'))?.['score'], 1);
  });

  it('NULL removes an attribute', async () => {
    await using system = await startBraze();
    system.vendor.add({ external_id: 'a', score: 1 });
    await using application = await openBraze(system, {});
    await application.send({ operation: 'update', rows: rowsOf(user('a', { score: null })) }, testAttempt());
    assert.equal('score' in (profile(system, user('a')) ?? {}), false);
  });

  it('an index in an error counts in the array that was sent, not in the batch', async () => {
    await using system = await startBraze();
    await using application = await openBraze(system, {});
    const large = user('large', { text: 'x'.repeat(101 * 1024) });
    const rows = rowsOf(user('a'), large, user('b', { email: 'none' }), user('c'));
    const outcomes = await application.send({ operation: 'upsert', rows }, testAttempt());
    assert.ok(Array.isArray(outcomes));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['acknowledged', 'rejected', 'rejected', 'acknowledged'],
    );
    assert.match(JSON.stringify(outcomes[1]), /100 KB/);
    assert.match(JSON.stringify(outcomes[2]), /email/);
    assert.equal(sent(system, '/users/track')[0]?.['attributes']?.length, 3, 'what is too large is never sent');
  });

  it('a row that stands alone is refused with its own reason', async () => {
    await using system = await startBraze();
    await using application = await openBraze(system, {});
    const rows = rowsOf(user('b', { email: 'none' }));
    assert.match(JSON.stringify(await application.send({ operation: 'upsert', rows }, testAttempt())), /rejected.*valid email/);
  });

  it('an error that names no object leaves the others unknown, never acknowledged', async () => {
    await using system = await startBraze();
    await using application = await openBraze(system, {});
    for (const error of [
      'something',
      { type: 'wrong', input_array: 'attributes', index: 7 },
      { type: 'wrong', input_array: 'events', index: 0 },
    ]) {
      system.fake.trouble({ answer: { status: 201, body: { message: 'success', errors: [error] } } });
      const outcomes = await application.send({ operation: 'upsert', rows: rowsOf(user('a'), user('b')) }, testAttempt());
      assert.match(JSON.stringify(outcomes), /^\[\{"status":"unknown".*"status":"unknown"/);
    }
  });

  it('numbers that JavaScript cannot hold arrive as they are', async () => {
    await using system = await startBraze();
    await using application = await openBraze(system, {});
    const rows = rowsOf(user('a', { balance: new ExactNumber('12345678901234567890.25') }));
    await application.send({ operation: 'upsert', rows }, testAttempt());
    assert.match(system.fake.requests.at(-1)?.text ?? '', /"balance":12345678901234567890\.25[,}]/);
  });

  it('deletes 50 users a request', async () => {
    await using system = await startBraze();
    const users = Array.from({ length: 75 }, (_, no) => user(`user-${no}`));
    for (const { match } of users) system.vendor.add(match);
    await using application = await openBraze(system, {});
    const outcomes = await application.send({ operation: 'delete', rows: rowsOf(...users) }, testAttempt());
    assert.ok(Array.isArray(outcomes) && outcomes.length === 75 && outcomes.every(({ status }) => status === 'acknowledged'));
    assert.deepEqual(new Set(sent(system, '/users/delete').map((body) => body['external_ids']?.length)), new Set([50, 25]));
    assert.equal(system.fake.records().get('users')?.length, 0);
  });

  it('finds users by alias, by e-mail address and by phone', async () => {
    await using system = await startBraze();
    await using byAlias = await openBraze(system, { match: ['user_alias'], write: { alias_label: 'crm' } });
    await byAlias.send({ operation: 'upsert', rows: rowsOf({ match: { user_alias: 'a1' }, fields: { score: 1 } }) }, testAttempt());
    const alias = { alias_name: 'a1', alias_label: 'crm' };
    assert.deepEqual(sent(system, '/users/track')[0]?.['attributes'], [{ _update_existing_only: false, score: 1, user_alias: alias }]);
    await byAlias.send({ operation: 'delete', rows: rowsOf({ match: { user_alias: alias }, fields: {} }) }, testAttempt());
    assert.deepEqual(system.fake.records().get('users'), []);
    for (const [field, value] of [
      ['email', 'a@example.com'],
      ['phone', '+4930123'],
    ] as const) {
      await using application = await openBraze(system, { match: [field] });
      await application.send({ operation: 'upsert', rows: rowsOf({ match: { [field]: value }, fields: { score: 2 } }) }, testAttempt());
      assert.ok(
        system.fake
          .records()
          .get('users')
          ?.some((one) => one[field] === value && one['score'] === 2),
      );
    }
  });

  it('nested attributes are merged where that is asked for', async () => {
    await using system = await startBraze();
    await using application = await openBraze(system, { write: { merge_objects: true } });
    await application.send({ operation: 'upsert', rows: rowsOf(user('a', { plan: { tier: 'gold' } })) }, testAttempt());
    const [object] = sent(system, '/users/track')[0]?.['attributes'] ?? [];
    assert.deepEqual(object, { _update_existing_only: false, _merge_objects: true, plan: { tier: 'gold' }, external_id: 'a' });
  });

  it('events carry name, time with a zone, and the other fields as properties', async () => {
    await using system = await startBraze();
    await using application = await openBraze(system, { object: 'events', fields: ['name', 'at', 'plan', 'note'], write: { time: 'at' } });
    assert.deepEqual(application.writes, { create: 'none' });
    const event = (at: string): RowValues => user('a', { name: 'upgraded', at, plan: 'gold', note: null });
    const times = ['2026-03-01', '2026-03-01T10:00:00', '2026-03-01 10:00:00.5+02', '2026-03-01T10:00:00Z', 'soon'];
    const outcomes = await application.send({ operation: 'create', rows: rowsOf(...times.map(event)) }, testAttempt());
    assert.match(JSON.stringify(outcomes), /its at is not a date or time/);
    const written = system.fake.records().get('events') ?? [];
    assert.deepEqual(
      written.map(({ time }) => time),
      ['2026-03-01T00:00:00Z', '2026-03-01T10:00:00Z', '2026-03-01T10:00:00.5+02:00', '2026-03-01T10:00:00Z'],
    );
    assert.deepEqual(written[0]?.['properties'], { plan: 'gold' });
    assert.equal(written[0]?.['name'], 'upgraded');
  });

  it('an event that is sent twice happened twice: that is why nothing settles it', async () => {
    await using system = await startBraze();
    await using application = await openBraze(system, { object: 'events', fields: ['time'], write: { event: 'seen' } });
    const batch = { operation: 'create', rows: rowsOf(user('a', { time: '2026-03-01' })) } as const;
    await application.send(batch, testAttempt());
    await application.send(batch, testAttempt());
    assert.equal(system.fake.effects.filter(({ operation }) => operation === 'event').length, 2);
  });

  it('check says what the sync itself has wrong', async () => {
    await using system = await startBraze();
    await using events = await openBraze(system, { object: 'events', fields: ['plan'] });
    assert.match((await events.check(testAttempt())).problems.join(), /events need a field name and time/);
    await using users = await openBraze(system, { match: ['external_id', 'email'] });
    assert.match((await users.check(testAttempt())).problems.join(), /exactly one of external_id/);
    await using members = await openBraze(system, { object: `subscription_groups/${group}`, match: ['braze_id'] });
    assert.match((await members.check(testAttempt())).problems.join(), /external_id, email or phone/);
    await assert.rejects(openBraze(system, { write: { merge: true } }), failsWith('config', /merge/));
  });

  it('check names the permission that the key lacks, for what the sync does', async () => {
    await using system = await startBraze({ forbidden: ['/users/delete', '/custom_attributes'] });
    await using deleting = await openBraze(system, { operations: ['upsert', 'delete'] });
    assert.match((await deleting.check(testAttempt())).problems.join(), /users\.delete/);
    await using writing = await openBraze(system, { operations: ['upsert'] });
    const report = await writing.check(testAttempt());
    assert.deepEqual(report.problems, []);
    assert.match(report.warnings.join(), /custom_attributes\.get/);
    assert.ok(
      (await writing.describe(testAttempt())).fields.some(({ name }) => name === 'email'),
      'the fields of each profile are known',
    );
    assert.equal(system.fake.effects.length, 0, 'check changes nothing');
  });

  it('describe reads all pages of custom attributes; a blocked one is read-only, and others may be new', async () => {
    const types = ['Number', 'String', 'Boolean', 'Date', 'Array', 'Object', 'Number (Automatically Detected)'];
    const attributes = Array.from({ length: 120 }, (_, no) => ({
      name: `attribute_${no}`,
      data_type: types[no] ?? 'String',
      status: no === 119 ? ('Blocklisted' as const) : ('Active' as const),
    }));
    await using system = await startBraze({ attributes });
    await using application = await openBraze(system, {});
    const { fields, closed } = await application.describe(testAttempt());
    const custom = fields.filter(({ name }) => name.startsWith('attribute_'));
    assert.deepEqual([custom.length, closed], [120, false]);
    assert.deepEqual(
      custom.slice(0, 7).map(({ type }) => type),
      ['number', 'string', 'boolean', 'datetime', 'json', 'json', 'any'],
    );
    assert.deepEqual(
      custom.filter(({ readOnly }) => readOnly).map(({ name }) => name),
      ['attribute_119'],
    );
  });

  it('a subscription group that is not there refuses the batch', async () => {
    await using system = await startBraze();
    await using application = await openBraze(system, { object: 'subscription_groups/none' });
    const batch = { operation: 'add', rows: rowsOf(user('a')) } as const;
    await assert.rejects(application.send(batch, testAttempt()), failsWith('rejected', /subscription group was not found/));
  });

  it('an address that is no REST endpoint is a setting to mend', async () => {
    await using system = await startBraze();
    await using application = await openBraze(system, {});
    system.fake.trouble({ answer: { status: 404, body: { message: 'Not found' } } });
    const batch = { operation: 'upsert', rows: rowsOf(user('a')) } as const;
    await assert.rejects(application.send(batch, testAttempt()), failsWith('config', /REST endpoint/));
  });
});
