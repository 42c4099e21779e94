import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import { startFake } from '../fakes/fake.ts';
import { Intercom } from '../fakes/intercom.ts';
import { hashOf, Mailchimp } from '../fakes/mailchimp.ts';
import { openSyncProject, postgresConnection, type SyncProject } from '../sync-kit.ts';

describe('syncs into tables, files and declared APIs', function () {
  this.timeout(120_000);
  let place: SyncProject;
  before(async () => {
    place = await openSyncProject('application_sync');
  });
  after(() => place[Symbol.asyncDispose]());

  const model = (name: string, columns: string): SyncDefinition['model'] => ({
    name,
    sql: `SELECT ${columns} FROM ${name}`,
    key: ['email'],
    after: [],
  });
  const mapped = (...fields: readonly string[]): SyncDefinition['map'] =>
    fields.map((field) => ({ column: field.replaceAll('.', '_').toLowerCase(), field, whenNull: 'clear' }));
  const http = (name: string, template: string, url: string, token: string): SyncDefinition['to'] => ({
    name,
    type: 'http',
    settings: { type: 'http', template, url, allow_private: true, request_timeout: '2s', auth: { type: 'bearer', token } },
  });

  it('a table mirrors a model: exact values arrive, a poisoned row stands alone, what left the model is deleted', async () => {
    await place.sql(
      `CREATE TABLE accounts AS SELECT i || '@x.org' AS email, (9007199254740992 + i)::bigint AS big, 0.1::numeric + i AS share, CASE WHEN i = 7 THEN 'far too long' ELSE 'ok' END AS code
         FROM generate_series(1, 300) i;
       CREATE SCHEMA app; CREATE TABLE app.accounts (email text PRIMARY KEY, big bigint, share numeric, code varchar(3))`,
    );
    const sync = place.sync({
      name: 'accounts',
      model: model('accounts', '*'),
      to: postgresConnection('app', place.warehouse),
      object: 'app.accounts',
      match: [{ column: 'email', field: 'email' }],
      map: mapped('big', 'share', 'code'),
      mode: 'mirror',
      maxDeleted: 0.5,
    });
    const first = await place.report(sync);
    assert.deepEqual([first.planned, first.acknowledged, first.rejected], [300, 299, 1]);
    const same = `SELECT count(*) FROM accounts a JOIN app.accounts b USING (email, big, share, code)`;
    assert.deepEqual(await place.sql(same), [{ count: '299' }]);
    assert.deepEqual(await place.sql(`SELECT reason FROM _millrace.sync_log WHERE outcome = 'rejected'`), [
      { reason: 'field code: value too long for type character varying(3) (SQLSTATE 22001)' },
    ]);
    await place.sql(`UPDATE accounts SET code = 'new' WHERE email = '7@x.org'; DELETE FROM accounts WHERE email IN ('8@x.org', '9@x.org')`);
    const second = await place.report(sync);
    assert.deepEqual([second.operations, second.acknowledged], [{ upsert: 1, delete: 2 }, 3]);
    assert.deepEqual(await place.sql(`SELECT count(*), count(*) FILTER (WHERE code = 'new') AS new FROM app.accounts`), [
      { count: '298', new: '1' },
    ]);
  });

  it('files hold what changed, run by run', async () => {
    const path = await mkdtemp(join(tmpdir(), 'millrace-application-sync-'));
    try {
      await place.sql(`CREATE TABLE people AS SELECT i || '@x.org' AS email, '=' || i AS note FROM generate_series(1, 3) i`);
      const sync = place.sync({
        name: 'people',
        model: model('people', '*'),
        to: { name: 'exports', type: 'files', settings: { type: 'files', path } },
        object: 'daily/people',
        match: [{ column: 'email', field: 'email' }],
        map: mapped('note'),
      });
      await place.report(sync);
      await place.sql(`UPDATE people SET note = NULL WHERE email = '2@x.org'`);
      await place.report(sync);
      const folder = join(path, 'daily');
      const texts = await Promise.all((await readdir(folder)).map(async (name) => await readFile(join(folder, name), 'utf8')));
      assert.deepEqual(texts.toSorted(), [`email,note\r\n1@x.org,'=1\r\n2@x.org,'=2\r\n3@x.org,'=3\r\n`, 'email,note\r\n2@x.org,\r\n']);
    } finally {
      await rm(path, { recursive: true, force: true });
    }
  });

  it('Mailchimp: members by batches with an outcome for each, archived one by one when they leave the model', async () => {
    const vendor = new Mailchimp();
    await using fake = await startFake(vendor);
    await place.sql(
      `CREATE TABLE subscribers AS SELECT CASE WHEN i = 5 THEN 'no address' ELSE i || '@X.org' END AS email, i AS merge_fields_score FROM generate_series(1, 700) i`,
    );
    const sync = place.sync({
      name: 'subscribers',
      model: model('subscribers', '*'),
      to: http('mailchimp', 'mailchimp', fake.url, vendor.apiKey),
      object: 'lists/42/members',
      match: [{ column: 'email', field: 'email_address' }],
      map: mapped('merge_fields.SCORE'),
      mode: 'mirror',
      deletes: 'archive',
      maxDeleted: 0.5,
      write: { status: 'subscribed' },
    });
    const first = await place.report(sync);
    assert.deepEqual([first.planned, first.acknowledged, first.rejected], [700, 699, 1]);
    assert.equal(fake.requests.filter(({ path }) => path === '/lists/42').length, 2);
    await place.sql(`DELETE FROM subscribers WHERE email IN ('1@X.org', '2@X.org')`);
    const second = await place.report(sync);
    assert.equal(second.operations['archive'], 2);
    const archived = vendor
      .records()
      .get('lists/42/members')
      ?.filter(({ status }) => status === 'archived');
    assert.deepEqual(archived?.map(({ id }) => id).toSorted(), ['1@x.org', '2@x.org'].map(hashOf).toSorted());
  });

  it('Intercom: an answer lost after the effect makes no second contact, and later runs need no search', async () => {
    const vendor = new Intercom();
    await using fake = await startFake(vendor);
    await place.sql(`CREATE TABLE users AS SELECT i || '@x.org' AS email, 'Name ' || i AS name FROM generate_series(1, 20) i`);
    const sync = place.sync({
      name: 'users',
      model: model('users', '*'),
      to: http('intercom', 'intercom', fake.url, vendor.token),
      object: 'contacts',
      match: [{ column: 'email', field: 'email' }],
      map: mapped('name'),
    });
    fake.trouble({ matches: ({ method, path }) => method === 'POST' && path === '/contacts', cut: 'after', times: 3 });
    const first = await place.report(sync);
    assert.deepEqual([first.planned, first.acknowledged, first.unknown], [20, 20, 0]);
    assert.equal(fake.effects.filter(({ operation }) => operation === 'create').length, 20);
    const before = fake.requests.length;
    await place.sql(`UPDATE users SET name = 'New' WHERE email = '3@x.org'`);
    await place.report(sync);
    assert.deepEqual(
      fake.requests.slice(before).map(({ method, path }) => `${method} ${path.replace(/[0-9a-f]{24}/, '<id>')}`),
      ['PUT /contacts/<id>'],
    );
  });
});
