import assert from 'node:assert/strict';
import type { Application, ApplicationRequest, OutgoingRow } from '../../connectors/application.ts';
import { openApplication } from '../../connectors/template/application.ts';
import { startFake, type Fake } from '../fakes/fake.ts';
import { Intercom, type IntercomOptions } from '../fakes/intercom.ts';
import { describeApplication } from '../kits/application.ts';
import { outgoing, type ApplicationCase, type Opening, type RowValues } from '../kits/application-case.ts';
import { memoryContext } from '../kits/memory-stores.ts';
import { testAttempt } from '../kits/source.ts';

interface System extends AsyncDisposable {
  readonly vendor: Intercom;
  readonly fake: Fake;
}

async function start(options: IntercomOptions = {}): Promise<System> {
  const vendor = new Intercom(options);
  const fake = await startFake(vendor);
  return { vendor, fake, [Symbol.asyncDispose]: async () => await fake[Symbol.asyncDispose]() };
}

const wrong = 'WRONG-TOKEN';
const open = async ({ vendor, fake }: System, { request, context, wrongCredential }: Opening): Promise<Application> => {
  const token = wrongCredential ? wrong : vendor.token;
  const settings = { type: 'http', template: 'intercom', url: fake.url, auth: { type: 'bearer', token }, allow_private: true } as const;
  return await openApplication(settings, 'intercom', request, context);
};

const stored = (vendor: Intercom, row: RowValues): Readonly<Record<string, unknown>> | undefined => {
  const [[name, value] = ['', '']] = Object.entries(row.match);
  const contact = vendor
    .records()
    .get('contacts')
    ?.find((each) => each[name] === value);
  if (contact === undefined) return undefined;
  const custom = Object.entries(contact['custom_attributes'] as object).map(([key, each]) => [`custom_attributes.${key}`, each]);
  return { ...contact, ...Object.fromEntries(custom) };
};

const fields = (no: number, version: number) => ({
  name: `Name ${version}`,
  'custom_attributes.health_score': no,
  'custom_attributes.plan': `p${version}`,
});

/** A batch is a request for each row here: what goes wrong with a batch of the kit goes wrong with each of them. */
const forEachRow = (fake: Fake): Fake => ({
  ...fake,
  trouble: (trouble) => fake.trouble({ times: trouble.answer?.status === 400 ? 3 : 2, ...trouble }),
});

const shared: Omit<ApplicationCase<System>, 'name' | 'row' | 'refused'> = {
  request: { object: 'contacts' },
  start,
  open,
  secrets: ['intercom-token', wrong],
  operations: ['create', 'update', 'upsert', 'archive', 'delete'],
  seed: ({ vendor }, rows) => {
    for (const { match } of rows) vendor.add(match);
  },
  stored: ({ vendor }, row) => stored(vendor, row),
  missing: { object: 'contact', nearest: 'contacts' },
  described: ['external_id', 'email', 'name', 'custom_attributes.plan'],
  capped: false,
  http: {
    fake: ({ fake }) => forEachRow(fake),
    isWrite: ({ method, path }) => method !== 'GET' && path !== '/contacts/search',
    throttled: (wait) => new Intercom().throttled(wait),
    wholeRefusal: { status: 400, body: { type: 'error.list', errors: [{ code: 'parameter_invalid', message: 'no' }] } },
  },
};

describeApplication<System>({
  ...shared,
  name: 'Intercom contacts by external id',
  row: (no, version) => ({ match: { external_id: `user-${no}` }, fields: fields(no, version) }),
  refused: {
    operation: 'upsert',
    row: (no) => ({ match: { external_id: `user-${no}` }, fields: { ...fields(no, 0), 'custom_attributes.health_score': 'high' } }),
  },
});

describeApplication<System>({
  ...shared,
  name: 'Intercom contacts by address',
  row: (no, version) => ({ match: { email: `person-${no}@example.com` }, fields: fields(no, version) }),
  refused: {
    operation: 'upsert',
    row: (no) => ({ match: { email: `person-${no}@example.com` }, fields: { ...fields(no, 0), 'custom_attributes.other': 1 } }),
  },
});

describe('Intercom', () => {
  const attempt = testAttempt();
  const opening = (request: Partial<ApplicationRequest> = {}): Opening => ({
    request: { object: 'contacts', match: ['external_id'], fields: ['name'], write: {}, ...request },
    context: memoryContext(),
    wrongCredential: false,
  });
  const row = (no: number, more: Partial<OutgoingRow> = {}): OutgoingRow => ({
    ...outgoing(no, { match: { external_id: `u-${no}` }, fields: { name: `n${no}` } }),
    ...more,
  });

  it('a contact that the search does not find yet is sent again later, and made once', async () => {
    await using system = await start({ searchLag: 60_000 });
    await using application = await open(system, opening());
    const batch = { operation: 'upsert' as const, rows: [row(1)] };
    const [made] = (await application.send(batch, attempt)) as [{ status: string; remoteId?: string }];
    assert.equal(made.status, 'acknowledged');
    assert.ok(made.remoteId);
    const [again] = (await application.send(batch, attempt)) as [{ status: string; after: number }];
    assert.deepEqual([again.status, again.after], ['again', 2000]);
    const rows = [row(1, { remoteId: made.remoteId })];
    assert.deepEqual(await application.send({ ...batch, rows }, attempt), [made]);
    assert.equal(system.fake.effects.filter(({ operation }) => operation === 'create').length, 1);
  });

  it('a known contact is written without a search; one that is gone is looked up again', async () => {
    await using system = await start();
    const id = system.vendor.add({ external_id: 'u-1' });
    await using application = await open(system, opening());
    await application.send({ operation: 'update', rows: [row(1, { remoteId: id })] }, attempt);
    assert.deepEqual(
      system.fake.requests.map(({ method, path }) => `${method} ${path}`),
      [`PUT /contacts/${id}`],
    );
    assert.deepEqual(await application.send({ operation: 'upsert', rows: [row(1, { remoteId: 'gone' })] }, attempt), [
      { status: 'acknowledged', remoteId: id },
    ]);
    assert.deepEqual(await application.send({ operation: 'delete', rows: [row(2, { remoteId: 'gone' })] }, attempt), [
      { status: 'acknowledged' },
    ]);
    const [absent] = (await application.send({ operation: 'update', rows: [row(2)] }, attempt)) as [{ status: string; code: string }];
    assert.deepEqual([absent.status, absent.code], ['rejected', 'not-found']);
  });

  it('looks fifteen contacts up at once, and tells each row its own outcome', async () => {
    await using system = await start();
    for (let no = 1; no <= 20; no += 1) system.vendor.add({ external_id: `U-${no}` });
    await using application = await open(system, opening());
    assert.equal(application.limits.batchRows, 15);
    const rows = Array.from({ length: 15 }, (_, no) => row(no + 10));
    const outcomes = (await application.send({ operation: 'update', rows }, attempt)) as readonly { status: string }[];
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      rows.map(({ no }) => (no <= 20 ? 'acknowledged' : 'rejected')),
    );
    assert.equal(system.fake.requests.filter(({ path }) => path === '/contacts/search').length, 1);
  });

  it('a match that finds nothing in Intercom is named', async () => {
    await using system = await start();
    await assert.rejects(open(system, opening({ match: ['phone'] })), /matched by external_id or email, not by phone/);
  });
});
