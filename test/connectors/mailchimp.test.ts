import assert from 'node:assert/strict';
import type { Application } from '../../connectors/application.ts';
import { openApplication } from '../../connectors/template/application.ts';
import { jsonText } from '../../schema/value.ts';
import { startFake, type Fake } from '../fakes/fake.ts';
import { hashOf, Mailchimp } from '../fakes/mailchimp.ts';
import { describeApplication } from '../kits/application.ts';
import { outgoing, type ApplicationCase, type Opening, type RowValues } from '../kits/application-case.ts';
import { memoryContext } from '../kits/memory-stores.ts';
import { testAttempt } from '../kits/source.ts';

interface System extends AsyncDisposable {
  readonly vendor: Mailchimp;
  readonly fake: Fake;
}

async function start(): Promise<System> {
  const vendor = new Mailchimp();
  const fake = await startFake(vendor);
  return { vendor, fake, [Symbol.asyncDispose]: async () => await fake[Symbol.asyncDispose]() };
}

const wrong = 'WRONG-KEY-us1';
const open = async ({ vendor, fake }: System, { request, context, wrongCredential }: Opening): Promise<Application> => {
  const token = wrongCredential ? wrong : vendor.apiKey;
  const settings = { type: 'http', template: 'mailchimp', url: fake.url, auth: { type: 'bearer', token }, allow_private: true } as const;
  return await openApplication(settings, 'mailchimp', request, context);
};

const address = (no: number): string => `Person.${no}@Example.com`;
const addressOf = ({ match }: RowValues): string => jsonText(match['email_address']).slice(1, -1);
const find = (vendor: Mailchimp, object: string, row: RowValues): Readonly<Record<string, unknown>> | undefined =>
  vendor
    .records()
    .get(object)
    ?.find(({ id }) => id === hashOf(addressOf(row)));

const shared = { start, open, secrets: ['mailchimp-key-us1', wrong] };
const overHttp = {
  http: {
    fake: ({ fake }: System) => fake,
    isWrite: ({ method }: { readonly method: string }) => method !== 'GET',
    throttled: (wait: number) => new Mailchimp().throttled(wait),
    serverError: 'unknown' as const,
  },
} satisfies Partial<ApplicationCase<System>>;

describeApplication<System>({
  ...shared,
  ...overHttp,
  name: 'Mailchimp members',
  request: { object: 'lists/42/members', write: { status: 'subscribed' } },
  operations: ['create', 'update', 'upsert', 'delete', 'archive'],
  row: (no, version) => ({
    match: { email_address: address(no) },
    fields: { 'merge_fields.SCORE': no * 10 + version, 'merge_fields.FNAME': `Name ${version}`, language: version === 0 ? 'en' : 'fr' },
  }),
  seed: ({ vendor }, rows) => {
    for (const { match } of rows) vendor.add('42', { email_address: match['email_address'] });
  },
  stored: ({ vendor }, row) => {
    const member = find(vendor, 'lists/42/members', row);
    if (member === undefined || member['status'] === 'archived') return undefined;
    const merge = Object.entries((member['merge_fields'] ?? {}) as object).map(([name, value]) => [`merge_fields.${name}`, value]);
    return { ...member, ...Object.fromEntries(merge) };
  },
  refused: {
    operation: 'upsert',
    row: (no) => ({
      match: { email_address: address(no) },
      fields: { 'merge_fields.SCORE': 'many', 'merge_fields.FNAME': 'x', language: 'en' },
    }),
  },
  missing: { object: 'lists/43/members', nearest: 'lists/42/members' },
  described: ['email_address', 'status', 'merge_fields.FNAME', 'merge_fields.SCORE'],
  http: { ...overHttp.http, wholeRefusal: { status: 400, body: { title: 'Invalid Resource', status: 400, detail: 'too large' } } },
  capOperation: 'upsert',
});

describeApplication<System>({
  ...shared,
  name: 'Mailchimp tags',
  request: { object: 'lists/42/tags/at risk' },
  operations: ['add', 'remove'],
  row: (no) => ({ match: { email_address: address(no) }, fields: {} }),
  seed: ({ vendor }, rows, operation) => {
    for (const row of rows) {
      vendor.add('42', { email_address: addressOf(row) });
      if (operation === 'remove') vendor.tag('42', addressOf(row), 'at risk');
    }
  },
  stored: ({ vendor }, row) => {
    const tags = find(vendor, 'lists/42/members', row)?.['tags'];
    return Array.isArray(tags) && tags.includes('at risk') ? {} : undefined;
  },
  capped: false,
});

describeApplication<System>({
  ...shared,
  ...overHttp,
  name: 'Mailchimp segments',
  request: { object: 'lists/42/segments/7' },
  operations: ['add', 'remove'],
  row: (no) => ({ match: { email_address: address(no) }, fields: {} }),
  seed: ({ vendor }, rows, operation) => {
    for (const row of rows) {
      vendor.add('42', { email_address: addressOf(row) });
      if (operation === 'remove') vendor.addTo('42', '7', addressOf(row));
    }
  },
  stored: ({ vendor }, row) => (find(vendor, 'lists/42/segments/7', row) === undefined ? undefined : {}),
});

describe('Mailchimp', () => {
  const attempt = testAttempt();
  const opening = (object: string, write: Readonly<Record<string, unknown>> = {}): Opening => ({
    request: { object, match: ['email_address'], fields: ['merge_fields.FNAME'], write },
    context: memoryContext(),
    wrongCredential: false,
  });
  const row = (no: number) => outgoing(no, { match: { email_address: address(no) }, fields: { 'merge_fields.FNAME': 'x' } });

  it('a member who was deleted for good is refused for ever, with the reason, and its neighbours are not', async () => {
    await using system = await start();
    await using application = await open(system, opening('lists/42/members', { status: 'subscribed' }));
    await application.send({ operation: 'upsert', rows: [row(1)] }, attempt);
    await application.send({ operation: 'delete', rows: [row(1)] }, attempt);
    const outcomes = await application.send({ operation: 'upsert', rows: [row(1), row(2)] }, attempt);
    assert.ok(Array.isArray(outcomes));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'acknowledged'],
    );
    const [forgotten] = outcomes;
    assert.match(forgotten.reason, /permanently deleted and cannot be re-imported/);
    assert.ok(!forgotten.reason.includes(address(1)), 'without the address');
    assert.equal(forgotten.code, 'ERROR_GENERIC');
  });

  it('a status is sent to new members only where the sync says so: an unsubscribed one stays so', async () => {
    await using system = await start();
    system.vendor.add('42', { email_address: address(1), status: 'unsubscribed' });
    await using application = await open(system, opening('lists/42/members'));
    const outcomes = await application.send({ operation: 'upsert', rows: [row(1), row(2)] }, attempt);
    assert.ok(Array.isArray(outcomes));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['acknowledged', 'rejected'],
    );
    assert.equal(find(system.vendor, 'lists/42/members', row(1))?.['status'], 'unsubscribed');
  });

  it('a bare 403 is a wait, and a 403 with JSON is not', async () => {
    await using system = await start();
    await using application = await open(system, opening('lists/42/members', { status: 'subscribed' }));
    system.fake.trouble({ answer: { status: 403, body: { title: 'Forbidden', detail: 'The account is suspended.' } } });
    const [refused] = (await application.send({ operation: 'upsert', rows: [row(1)] }, attempt)) as [{ status: string; reason: string }];
    assert.deepEqual([refused.status, refused.reason], ['rejected', 'The account is suspended.']);
    system.fake.trouble({ answer: { status: 403, body: 'Forbidden' } });
    await assert.rejects(application.send({ operation: 'upsert', rows: [row(1)] }, attempt), { code: 'rate-limited' });
  });

  it('an option that the object does not have is named', async () => {
    await using system = await start();
    await assert.rejects(open(system, opening('lists/42/members', { state: 'x' })), /write\.state is not an option; there are status/);
    await assert.rejects(open(system, opening('lists/42/members', { status: 'x' })), /write\.status must be subscribed or/);
  });
});
