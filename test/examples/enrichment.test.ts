import assert from 'node:assert/strict';
import { enrichmentSalesforce } from '../fakes/accounts.ts';
import { startFake, type Fake } from '../fakes/fake.ts';
import { startHubspot, type HubspotFake } from '../fakes/hubspot.ts';
import { salesforceApp } from '../fakes/salesforce.ts';
import { assertBooksBalance } from '../kits/books.ts';
import { effectsOf, openExample, recordsOf, type Example } from './example-kit.ts';

describe('the example enrichment', function () {
  this.timeout(240_000);
  const org = enrichmentSalesforce();
  let example: Example;
  let salesforce: Fake;
  let hubspot: HubspotFake;

  before(async () => {
    [salesforce, hubspot] = await Promise.all([startFake(org), startHubspot()]);
    const more = {
      SALESFORCE_URL: salesforce.url,
      SALESFORCE_SECRET: salesforceApp.clientSecret,
      HUBSPOT_URL: hubspot.url,
      HUBSPOT_TOKEN: 'pat-fake',
    };
    hubspot.seed('companies', { account_no: 'coral', name: 'Coral', industry: 'travel' });
    example = await openExample('enrichment', { source: 'APP_URL', more });
  });

  after(async () => {
    await assertBooksBalance(example.warehouseUrl);
    await Promise.all([example, salesforce, hubspot].map((open) => open[Symbol.asyncDispose]()));
  });

  const accounts = (): readonly string[] => recordsOf(salesforce, 'Account', 'External__c', 'AnnualRevenue', 'Tier__c', 'Active__c');
  const companies = (...fields: readonly string[]): readonly string[] => recordsOf(hubspot, 'companies', 'account_no', ...fields);

  it('updates the accounts that sales people have made, and tells of those that they have not', async () => {
    await example.runAll('app', 'account-metrics');
    assert.deepEqual(accounts(), ['acme 50400 gold true', 'birch 2280 silver true', 'coral 10206 silver true', 'elm - - false']);
    assert.deepEqual(effectsOf(salesforce, 'Account'), ['update acme', 'update birch', 'update coral', 'update elm']);
    assert.deepEqual(await example.refused('account-metrics'), ['dune: no Account has this External__c']);
  });

  it('empties a field that has no value, unless it is to be kept', () => {
    const [seen = ''] = recordsOf(salesforce, 'Account', 'External__c', 'Seen__c').slice(-1);
    assert.equal(seen, 'elm 2025-12-01T08:00:00.000Z');
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    assert.ok(recordsOf(salesforce, 'Account', 'External__c', 'Seen__c')[0]?.startsWith(`acme ${yesterday}T12:00:00`));
  });

  it('makes the companies that marketing lacks, and leaves alone what it does not map', async () => {
    await example.runAll('companies', 'paying-companies');
    assert.deepEqual(companies('name', 'domain', 'numberofemployees', 'industry'), [
      'acme Acme Tools acme.example 120 -',
      'birch Birch & Sons birch.example 15 -',
      'coral Coral Travel coral.example 40 travel',
      'dune Dune Energy dune.example 300 -',
      'elm Elm Street Books elm.example 8 -',
    ]);
    assert.deepEqual(companies('annualrevenue', 'health_score'), [
      'acme 50400 50',
      'birch 2280 47',
      'coral 10206 50',
      'dune 144000 50',
      'elm - -',
    ]);
  });

  it('takes the figures away from one that stopped paying, and keeps the company', async () => {
    const before = hubspot.effects.length;
    await example.source(`DELETE FROM subscriptions WHERE account_id = 'coral'`);
    org.store.add('Account', { Name: 'Dune', External__c: 'dune' });
    await example.runAll('app', 'account-metrics', 'companies', 'paying-companies');
    assert.deepEqual(effectsOf(hubspot, 'companies', before), ['update coral.example']);
    assert.ok(companies('name', 'annualrevenue', 'health_score', 'industry').includes('coral Coral Travel - - travel'));
    assert.ok(accounts().includes('coral - - false'));
  });

  it('brings the account that was refused once it is there', async () => {
    assert.ok(accounts().includes('dune 144000 gold true'));
    assert.deepEqual(await example.refused('account-metrics'), []);
    const [all, paying] = [
      ['acme', 'birch', 'coral', 'dune', 'elm'],
      ['acme', 'birch', 'dune'],
    ];
    await example.assertLedger({ 'account-metrics': all, companies: all, 'paying-companies': paying });
  });

  it('stops before it empties the figures of too many', async () => {
    const before = hubspot.effects.length;
    await example.source(`DELETE FROM subscriptions WHERE account_id = 'acme'`);
    await example.runAll('app');
    const outcome = await example.run('paying-companies');
    assert.ok(!outcome.ok);
    assert.match(outcome.message, /1 of 3 acknowledged rows .* more than guards\.deletes \(25%\) allows/);
    assert.deepEqual(effectsOf(hubspot, 'companies', before), []);
  });
});
