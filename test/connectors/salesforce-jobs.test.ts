import assert from 'node:assert/strict';
import type { Application, Batch, Outcome, OutgoingRow, Polled } from '../../connectors/application.ts';
import { failureOf } from '../kits/application-case.ts';
import { testAttempt } from '../kits/source.ts';
import { accountOf, addAccount, openOrg, row, startOrg, type SalesforceOrg } from './salesforce-kit.ts';

const request = { rows: 2_000, write: {} };
const always = { write: { bulk: 'always' } };

async function start(application: Application, batch: Batch): Promise<string> {
  const sent = await application.send(batch, testAttempt());
  assert.ok('handle' in sent, 'it is a job');
  return sent.handle;
}

async function pollOnce(application: Application, handle: string, batch: Batch): Promise<Polled> {
  const [polled] = (await application.poll?.([{ handle, batch }], testAttempt())) ?? [];
  assert.ok(polled);
  return polled;
}

async function finish(application: Application, handle: string, batch: Batch): Promise<readonly Outcome[]> {
  for (let turn = 0; turn < 10; turn += 1) {
    const polled = await pollOnce(application, handle, batch);
    if ('outcomes' in polled) return polled.outcomes;
    assert.ok('after' in polled, JSON.stringify(polled));
  }
  throw new Error("the job doesn't end");
}

const upserts = (rows: readonly OutgoingRow[]): Batch => ({ operation: 'upsert', rows });
const rowsOf = (count: number): readonly OutgoingRow[] => Array.from({ length: count }, (_, no) => row(no + 1));
const statuses = (outcomes: readonly Outcome[]): string => outcomes.map(({ status }) => status).join(' ');
const withOrg = async (work: (org: SalesforceOrg) => Promise<void>): Promise<void> => {
  await using org = await startOrg();
  await work(org);
};

describe('salesforce jobs', () => {
  it('are made from 2,000 rows of a run on, and not for a rest of a few rows', () =>
    withOrg(async (org) => {
      await using few = await openOrg(org, { request: { rows: 1_999 } });
      assert.deepEqual([few.limits.batchRows, few.limits.jobs], [200, undefined]);
      await using never = await openOrg(org, { request: { rows: 5_000, write: { bulk: 'never' } } });
      assert.equal(never.limits.batchRows, 200);
      await using many = await openOrg(org, { request });
      assert.ok(many.limits.batchRows === 10_000 && many.limits.jobs !== undefined);
      assert.ok(Array.isArray(await many.send(upserts(rowsOf(200)), testAttempt())));
      assert.ok('handle' in (await many.send(upserts(rowsOf(201)), testAttempt())));
    }));

  it('have no effect before the first poll, whatever died in between', () =>
    withOrg(async (org) => {
      const batch = upserts(rowsOf(300));
      let handle = '';
      {
        await using first = await openOrg(org, { request });
        handle = await start(first, batch);
      }
      const job = org.vendor.jobs.all.get(handle);
      assert.deepEqual([job?.state, job?.csv === undefined, org.fake.effects.length], ['Open', false, 0]);
      await using second = await openOrg(org, { request });
      assert.deepEqual(Object.keys(await pollOnce(second, handle, batch)), ['after']);
      assert.equal(statuses(await finish(second, handle, batch)), Array(300).fill('acknowledged').join(' '));
      assert.equal(org.fake.effects.length, 300);
    }));

  it('are closed once, however often they are polled, and tell the same outcomes again without another effect', () =>
    withOrg(async (org) => {
      await using application = await openOrg(org, { request: always });
      const batch = upserts(rowsOf(3));
      const handle = await start(application, batch);
      const both = await Promise.all([pollOnce(application, handle, batch), pollOnce(application, handle, batch)]);
      assert.ok(both.every((polled) => 'after' in polled));
      const first = await finish(application, handle, batch);
      assert.deepEqual(await finish(application, handle, batch), first);
      assert.equal(org.fake.effects.length, 3);
    }));

  it('go on when the answer to their closing is lost', () =>
    withOrg(async (org) => {
      await using application = await openOrg(org, { request: always });
      const batch = upserts(rowsOf(2));
      const handle = await start(application, batch);
      org.fake.trouble({ matches: ({ method }) => method === 'PATCH', cut: 'after' });
      assert.ok('after' in (await pollOnce(application, handle, batch)));
      assert.equal(statuses(await finish(application, handle, batch)), 'acknowledged acknowledged');
      assert.equal(org.fake.effects.length, 2);
    }));

  it('give each row its own outcome, though results come in no order', () =>
    withOrg(async (org) => {
      addAccount(org, 3);
      org.vendor.store.locked.set('ext-6', 1);
      await using application = await openOrg(org, { request: always });
      const bad = { 2: { Tier__c: 'platinum' }, 5: { Name: 'a name, "quoted",\nof far more than forty characters' } };
      const batch = upserts(rowsOf(7).map((one) => ({ ...one, fields: { ...one.fields, ...bad[one.no as 2 | 5] } })));
      const handle = await start(application, batch);
      const outcomes = await finish(application, handle, batch);
      const expected = 'acknowledged rejected acknowledged acknowledged rejected again acknowledged';
      assert.equal(statuses(outcomes), expected, JSON.stringify(outcomes));
      for (const [no, outcome] of outcomes.entries()) {
        if (outcome.status === 'acknowledged') assert.equal(outcome.remoteId, accountOf(org, no + 1)?.['Id']);
        assert.equal(outcome.requestId, handle);
      }
      const [, picklist, long] = [outcomes[0], outcomes[1], outcomes[4]];
      assert.ok(picklist?.status === 'rejected' && long?.status === 'rejected');
      assert.equal(picklist.code, 'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST');
      assert.match(long.reason, /^STRING_TOO_LONG: Name: data value too large: … \(max length=40\)/);
      assert.ok(!JSON.stringify(outcomes).includes('platinum'), 'no values of rows');
    }));

  it('empty a field for NULL, and leave one alone that is not sent', () =>
    withOrg(async (org) => {
      addAccount(org, 1, { Tier__c: 'gold', AnnualRevenue: 5, Description: 'old' });
      addAccount(org, 2, { Tier__c: 'gold', AnnualRevenue: 5, Description: 'old' });
      await using application = await openOrg(org, { request: always });
      const batch = upserts([row(1, { Tier__c: null, Description: '' }), row(2, { AnnualRevenue: 7 })]);
      const handle = await start(application, batch);
      await finish(application, handle, batch);
      assert.match(org.vendor.jobs.all.get(handle)?.csv ?? '', /#N\/A/);
      const [one, two] = [accountOf(org, 1), accountOf(org, 2)];
      assert.deepEqual([one?.['Tier__c'], one?.['Description'], one?.['AnnualRevenue']], [null, null, 5]);
      assert.deepEqual([two?.['Tier__c'], two?.['Description'], two?.['AnnualRevenue']], ['gold', 'old', 7]);
    }));

  it('refuse the text that would empty a field; collections write it', () =>
    withOrg(async (org) => {
      await using jobs = await openOrg(org, { request: always });
      const batch = upserts([row(1, { Description: '#N/A' })]);
      assert.equal((await failureOf(jobs.send(batch, testAttempt()), [])).code, 'rejected');
      await using collections = await openOrg(org);
      await collections.send(batch, testAttempt());
      assert.equal(accountOf(org, 1)?.['Description'], '#N/A');
    }));

  it('are aborted when the upload fails, which then had no effect', () =>
    withOrg(async (org) => {
      await using application = await openOrg(org, { request: always });
      for (const trouble of [{ cut: 'after' }, { answer: { status: 500, body: 'oops' } }] as const) {
        org.fake.trouble({ matches: ({ method }) => method === 'PUT', ...trouble });
        assert.equal((await failureOf(application.send(upserts(rowsOf(2)), testAttempt()), [])).code, 'unavailable');
      }
      const jobs = [...org.vendor.jobs.all.values()];
      assert.deepEqual(
        jobs.map(({ state }) => state),
        ['Aborted', 'Aborted'],
      );
      assert.equal(org.fake.effects.length, 0);
    }));

  it('are lost when Salesforce has forgotten them, or their results', () =>
    withOrg(async (org) => {
      await using application = await openOrg(org, { request: always });
      const batch = upserts(rowsOf(2));
      const handle = await start(application, batch);
      await finish(application, handle, batch);
      org.vendor.jobs.expire(handle, 'results');
      assert.deepEqual(Object.keys(await pollOnce(application, handle, batch)), ['lost']);
      org.vendor.jobs.expire(handle);
      assert.deepEqual(Object.keys(await pollOnce(application, handle, batch)), ['lost']);
    }));

  it('are asked for their results again when those came incomplete', () =>
    withOrg(async (org) => {
      await using application = await openOrg(org, { request: always });
      const batch = upserts(rowsOf(3));
      const handle = await start(application, batch);
      org.fake.trouble({ matches: ({ path }) => path.endsWith('successfulResults'), garble: (text) => text.slice(0, -30) });
      assert.equal((await failureOf(finish(application, handle, batch), [])).code, 'unavailable');
      assert.equal(statuses(await finish(application, handle, batch)), 'acknowledged acknowledged acknowledged');
    }));

  it('that fail or are aborted half way tell which rows were written', () =>
    withOrg(async (org) => {
      await using application = await openOrg(org, { request: always });
      const ends = [
        { state: 'Failed', message: 'TooManyLockFailure : tried 20 times', processed: 2, left: 'again again' },
        { state: 'Failed', message: 'InvalidBatch : something else', processed: 2, left: 'rejected rejected' },
        { state: 'Aborted', message: '', processed: 2, left: 'rejected rejected' },
      ] as const;
      for (const { left, ...end } of ends) {
        org.vendor.jobs.ends.push(end);
        const batch = upserts(rowsOf(4));
        const outcomes = await finish(application, await start(application, batch), batch);
        assert.equal(statuses(outcomes), `acknowledged acknowledged ${left}`, end.message);
      }
    }));

  it('with a field that is not there refuse every row with what Salesforce says', () =>
    withOrg(async (org) => {
      await using application = await openOrg(org, { request: always });
      const batch = upserts([row(1, { Nope__c: 'x' })]);
      const [outcome] = await finish(application, await start(application, batch), batch);
      assert.ok(outcome?.status === 'rejected');
      assert.match(outcome.reason, /Field name not found : Nope__c/);
    }));

  it('update and delete by ids that are looked up, and say which rows have no object', () =>
    withOrg(async (org) => {
      const known = addAccount(org, 1);
      addAccount(org, 2);
      await using application = await openOrg(org, { request: always });
      const rows = [row(1, { AnnualRevenue: 3 }, { remoteId: known }), row(2, { AnnualRevenue: 4 }), row(9, { AnnualRevenue: 5 })];
      const update: Batch = { operation: 'update', rows };
      const updated = await finish(application, await start(application, update), update);
      assert.equal(statuses(updated), 'acknowledged acknowledged rejected');
      assert.equal(updated[2]?.status === 'rejected' ? updated[2].reason : '', 'no Account has this External__c');
      assert.equal(accountOf(org, 2)?.['AnnualRevenue'], 4);
      const gone = row(8, {}, { remoteId: '001000000000999AAA' });
      const deletion: Batch = { operation: 'delete', rows: [...rows, gone] };
      const deleted = await finish(application, await start(application, deletion), deletion);
      assert.equal(statuses(deleted), 'acknowledged acknowledged acknowledged acknowledged');
      assert.deepEqual(org.vendor.records().get('Account'), []);
    }));
});
