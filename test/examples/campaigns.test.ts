import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { campaignsBraze, campaignsMailchimp } from '../fakes/accounts.ts';
import { startFake, type Fake } from '../fakes/fake.ts';
import { assertBooksBalance } from '../kits/books.ts';
import { effectsOf, openExample, recordsOf, type Example } from './example-kit.ts';

const group = 'b1fa7cc8-0c2b-4c4a-9f5e-0a4b0ac9f6b1';
const list = '4f2a91c0d7';

describe('the example campaigns', function () {
  this.timeout(240_000);
  let example: Example;
  let braze: Fake;
  let mailchimp: Fake;

  before(async () => {
    const [messages, audience] = [campaignsBraze(), campaignsMailchimp()];
    [braze, mailchimp] = await Promise.all([startFake(messages), startFake(audience)]);
    const more = { BRAZE_URL: braze.url, BRAZE_KEY: messages.apiKey, MAILCHIMP_URL: mailchimp.url, MAILCHIMP_KEY: audience.apiKey };
    example = await openExample('campaigns', { source: 'SHOP_URL', more });
  });

  after(async () => {
    await assertBooksBalance(example.warehouseUrl);
    await Promise.all([example, braze, mailchimp].map((open) => open[Symbol.asyncDispose]()));
  });

  const runSyncs = () => example.runAll('profiles', 'subscribers', 'vip-audience', 'vip-tag');
  const profiles = (): readonly string[] => recordsOf(braze, 'users', 'external_id', 'email', 'first_name', 'segment', 'score');
  const members = (): readonly string[] =>
    recordsOf(mailchimp, `lists/${list}/members`, 'email_address', 'status', 'merge_fields.SCORE', 'tags');
  const vips = (): readonly string[] => recordsOf(braze, `subscription_groups/${group}`, 'external_id');

  it('makes segments with scores, of those who gave consent', async () => {
    await example.runAll('shop', 'consents');
    const rows = await example.warehouse('SELECT * FROM marketing.segments ORDER BY customer_id');
    assert.deepEqual(
      rows.map((row) => Object.values(row).join(' ')),
      [
        '1 ada@example.com Ada t vip 90',
        '10 jan@example.com Jan t vip 93',
        '2 ben@example.com Ben t vip 96',
        '3 cleo@example.com Cleo t regular 43',
        '4 dan@example.com Dan t lapsing 24',
        '5 eve@example.com Eve f vip 68',
        '6 finn@example.com Finn t regular 23',
        '7 gita@example.com Gita f prospect 0',
        '8 hugo.example.com Hugo t regular 29',
        '9 ida@example.com Ida t vip 60',
      ],
    );
  });

  it('brings them to Braze and Mailchimp, each row with an outcome', async () => {
    await runSyncs();
    assert.deepEqual(profiles(), [
      '1 ada@example.com Ada vip 90',
      '10 jan@example.com Jan vip 93',
      '2 ben@example.com Ben vip 96',
      '3 cleo@example.com Cleo regular 43',
      '4 dan@example.com Dan lapsing 24',
      '6 finn@example.com Finn regular 23',
      '9 ida@example.com Ida vip 60',
    ]);
    assert.deepEqual(members(), [
      'ada@example.com subscribed 90 VIP',
      'ben@example.com subscribed 96 VIP',
      'cleo@example.com subscribed 43 ',
      'dan@example.com subscribed 24 ',
      'finn@example.com subscribed 23 ',
      'ida@example.com subscribed 60 VIP',
      'jan@example.com subscribed 93 VIP',
    ]);
    assert.deepEqual(vips(), ['1', '10', '2', '9']);
    await example.assertLedger({
      profiles: ['1', '10', '2', '3', '4', '6', '9'],
      subscribers: ['1', '10', '2', '3', '4', '6', '9'],
      'vip-audience': ['1', '10', '2', '9'],
      'vip-tag': ['ada@example.com', 'ben@example.com', 'ida@example.com', 'jan@example.com'],
    });
  });

  it('keeps the row that was refused, with the reason of each application', async () => {
    assert.deepEqual(await example.refused('profiles'), ["8: 'email' is not a valid email address"]);
    assert.deepEqual(await example.refused('subscribers'), ['8: … is an invalid email address.']);
  });

  it('sends it again when it was mended, and nothing else', async () => {
    const [inBraze, inMailchimp] = [braze.effects.length, mailchimp.effects.length];
    await example.source(`UPDATE customers SET email = 'hugo@example.com', updated_at = now() WHERE id = 8`);
    await example.runAll('shop');
    await runSyncs();
    assert.deepEqual(effectsOf(braze, 'users', inBraze), ['create 8']);
    assert.deepEqual(effectsOf(mailchimp, `lists/${list}/members`, inMailchimp), ['create hugo@example.com']);
    assert.deepEqual(await example.refused('profiles'), []);
    assert.deepEqual(await example.refused('subscribers'), []);
  });

  it('lets customers into the audience and out of it as they change, and forgets who takes the consent back', async () => {
    const [inBraze, inMailchimp] = [braze.effects.length, mailchimp.effects.length];
    await example.source(`
      INSERT INTO orders (customer_id, amount) VALUES (6, 1500.00);
      UPDATE orders SET amount = 0, updated_at = now() WHERE customer_id = 1 AND amount = 800.00`);
    const withdrawn = 'customer,consent,given_at\n2,no,2026-02-01T10:00:00Z\n';
    await writeFile(join(example.folder, 'data', 'consents-2026-02.csv'), withdrawn);
    await example.runAll('shop', 'consents');
    await runSyncs();
    assert.deepEqual(profiles(), [
      '1 ada@example.com Ada regular 58',
      '10 jan@example.com Jan vip 93',
      '2 - - - -',
      '3 cleo@example.com Cleo regular 43',
      '4 dan@example.com Dan lapsing 24',
      '6 finn@example.com Finn vip 100',
      '8 hugo@example.com Hugo regular 29',
      '9 ida@example.com Ida vip 60',
    ]);
    assert.deepEqual(effectsOf(braze, `subscription_groups/${group}`, inBraze), ['add 6', 'remove 1', 'remove 2']);
    assert.deepEqual(vips(), ['10', '6', '9']);
    assert.deepEqual(effectsOf(mailchimp, `lists/${list}/tags/VIP`, inMailchimp), [
      'add finn@example.com',
      'remove ada@example.com',
      'remove ben@example.com',
    ]);
    assert.ok(members().includes('ben@example.com archived 96 '), members().join('\n'));
    await example.assertLedger({
      profiles: ['1', '10', '3', '4', '6', '8', '9'],
      subscribers: ['1', '10', '3', '4', '6', '8', '9'],
      'vip-audience': ['10', '6', '9'],
      'vip-tag': ['finn@example.com', 'ida@example.com', 'jan@example.com'],
    });
  });

  it('sends nothing when nothing has changed', async () => {
    const [inBraze, inMailchimp] = [braze.requests.length, mailchimp.requests.length];
    await example.runAll('shop', 'consents');
    await runSyncs();
    assert.deepEqual([braze.requests.length - inBraze, mailchimp.requests.length - inMailchimp], [0, 0]);
  });
});
