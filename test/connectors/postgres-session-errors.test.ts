import assert from 'node:assert/strict';
import { openSource } from '../../connectors/postgres/source.ts';
import { testAttempt } from '../kits/source.ts';

describe('an address whose host is not known', () => {
  it('is told with a hint at percent-encoding, and without the host, which may be a piece of the password', async () => {
    await using source = await openSource({ type: 'postgres', url: 'postgres://reader:pa@ss.invalid/shop' }, 'shop');
    await assert.rejects(source.discover(undefined, testAttempt()), (error: Error) => {
      assert.match(error.message, /percent-encoded/);
      assert.doesNotMatch(error.message, /ss\.invalid/);
      return true;
    });
  });
});
