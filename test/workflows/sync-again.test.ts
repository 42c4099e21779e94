import assert from 'node:assert/strict';
import { MillraceError } from '../../schema/errors.ts';
import { customers, openSyncProject, withLedgered, type SyncProject } from '../sync-kit.ts';

describe('a step of a sync that is tried again', function () {
  this.timeout(120_000);
  let failures = 0;
  let under: SyncProject;
  before(async () => {
    under = await openSyncProject('again', (dependencies) => {
      const base = withLedgered(dependencies);
      return {
        ...base,
        openSyncBooks: async (connection) => {
          const books = await base.openSyncBooks(connection);
          const release: typeof books.release = async (hold, attempt) => {
            await books.release(hold, attempt);
            failures += 1;
            if (failures === 1) throw new MillraceError('unavailable', 'the connection ended');
          };
          return { ...books, release };
        },
      };
    });
    await under.sql(customers(10));
  });
  after(() => under[Symbol.asyncDispose]());

  it('knows what the attempt before it recorded: a run that was refused everything fails', async () => {
    for (let no = 1; no <= 10; no += 1) under.ledgered.state.refused.set(`k${no}`, 'no such country');
    const outcome = await under.run(under.sync());
    assert.equal(under.ledgered.requests.length, 1);
    assert.deepEqual([outcome.ok, outcome.sync?.rejected], [false, 10]);
    assert.ok(failures > 1);
  });
});
