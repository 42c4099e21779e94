import assert from 'node:assert/strict';
import type { OutgoingRow } from '../../connectors/application.ts';
import { testAttempt } from '../kits/source.ts';
import { openLedgered, startLedgered } from './ledgered.ts';

const rowOf = (no: number): OutgoingRow => ({
  no,
  key: `k${no}`,
  match: { key: `k${no}` },
  fields: { value: no },
  remoteId: undefined,
  idempotencyKey: `i-${no}`,
});

describe('the fake application with a ledger', () => {
  it('answers about a job for the rows that are asked about, whichever were recorded before', async () => {
    await using fake = await startLedgered();
    fake.state.jobs = true;
    fake.state.jobPolls = 1;
    fake.state.refused.set('k2', 'never');
    await using application = openLedgered({ url: fake.url, settles: { upsert: 'upsert' }, jobs: 1 });
    const started = await application.send({ operation: 'upsert', rows: [1, 2, 3].map(rowOf) }, testAttempt());
    assert.ok('handle' in started);
    const ask = async (...nos: readonly number[]) =>
      await application.poll?.([{ handle: started.handle, batch: { operation: 'upsert', rows: nos.map(rowOf) } }], testAttempt());
    const [all] = (await ask(1, 2, 3)) ?? [];
    assert.ok(all !== undefined && 'outcomes' in all);
    assert.deepEqual(await ask(3, 2), [{ outcomes: [all.outcomes[2], all.outcomes[1]] }]);
    assert.equal(all.outcomes[1]?.status, 'rejected');
  });
});
