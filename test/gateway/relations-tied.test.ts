import assert from 'node:assert/strict';
import { openTestGateway, until, type TestGateway } from '../gateway-kit.ts';

const tables = `CREATE TABLE marts.people (id int PRIMARY KEY, email text); INSERT INTO marts.people VALUES (1, 'a@example.org');
  CREATE TABLE marts.mails (email text PRIMARY KEY, owner text); INSERT INTO marts.mails VALUES ('a@example.org', 'a@example.org');
  CREATE TABLE marts.notes (id int PRIMARY KEY, about int); INSERT INTO marts.notes VALUES (1, 1)`;

const fields = 'all';
const apis = {
  people: {
    dataset: 'marts.people',
    key: 'id',
    relations: { mails: { api: 'mails', on: 'email' }, owned: { api: 'mails', on: { email: 'owner' } } },
    roles: { clear: { fields }, masked: { fields, mask: { email: 'redact' } }, masked_there: { fields } },
  },
  mails: {
    dataset: 'marts.mails',
    key: 'email',
    roles: { clear: { fields }, masked: { fields }, masked_there: { fields, mask: { owner: 'redact' } } },
  },
  notes: { dataset: 'marts.notes', key: 'id', relations: { person: { api: 'people', on: { about: 'id' } } }, roles: { clear: { fields } } },
};

describe('relations and the columns they are on', () => {
  let gateway: TestGateway;

  before(async () => (gateway = await openTestGateway({ tables, apis })));
  after(async () => await gateway[Symbol.asyncDispose]());

  const follow = async (role: string, relation: string): Promise<string> => {
    const { status, text } = await gateway.get(`/api/people?include=${relation}`, { token: await gateway.token({ role }) });
    return `${status} ${text.includes('"email":"a@example.org","owner"')}`;
  };

  it('are not there for a role that sees one of them masked, here or there', async () => {
    assert.equal(await follow('clear', 'mails'), '200 true');
    assert.equal(await follow('clear', 'owned'), '200 true');
    assert.equal(await follow('masked', 'mails'), '400 false');
    assert.equal(await follow('masked', 'owned'), '400 false');
    assert.equal(await follow('masked_there', 'mails'), '200 true');
    assert.equal(await follow('masked_there', 'owned'), '400 false');
  });

  it('without such a column the API is not published, and the log says which', async () => {
    const token = await gateway.token({ role: 'clear' });
    assert.equal((await gateway.get('/api/notes?include=person', { token })).status, 200);
    await gateway.sql('ALTER TABLE marts.notes RENAME about TO person');
    await gateway.announce('marts.notes');
    await until(async () => (await gateway.get('/api/notes', { token })).status === 404);
    const told = gateway.log.find(({ fields: { api, reason } }) => api === 'notes' && reason !== undefined);
    assert.match(String(told?.fields['reason']), /it has no column "about", on which the relation person is/);
    await gateway.sql('ALTER TABLE marts.notes RENAME person TO about');
    await until(async () => (await gateway.get('/api/notes?include=person', { token })).status === 200);
    await gateway.sql('ALTER TABLE marts.people RENAME id TO no');
    await gateway.announce('marts.people');
    await until(async () => (await gateway.get('/api/notes?include=person', { token })).status === 400);
    assert.equal((await gateway.get('/api/notes', { token })).status, 200);
  });

  it('a key that nothing proves is told of once, when the gateway opens', async () => {
    await using loose = await openTestGateway({
      tables: 'CREATE TABLE marts.loose (id int)',
      apis: { loose: { dataset: 'marts.loose', key: 'id', roles: { clear: { fields } } } },
    });
    await loose.announce('marts.loose');
    const told = [...gateway.log, ...loose.log].filter(({ message }) => message.startsWith('nothing proves that the key is unique'));
    assert.deepEqual(
      told.map((line) => [line.level, line.fields['api']]),
      [['warn', 'loose']],
    );
  });
});
