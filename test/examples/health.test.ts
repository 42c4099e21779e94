import assert from 'node:assert/strict';
import { healthIntercom, healthZendesk } from '../fakes/accounts.ts';
import { startFake, type Fake } from '../fakes/fake.ts';
import { assertBooksBalance } from '../kits/books.ts';
import { until } from '../workflows/until.ts';
import { openExample, recordsOf, type Example } from './example-kit.ts';

/** Seconds from a commit in the source to the field in the application. */
const promise = 60;

describe('the example health', function () {
  this.timeout(300_000);
  let example: Example;
  let zendesk: Fake;
  let intercom: Fake;
  let schedules: AsyncDisposable;

  before(async () => {
    const [account, workspace] = [healthZendesk(), healthIntercom()];
    [zendesk, intercom] = await Promise.all([startFake(account), startFake(workspace)]);
    const more = {
      ZENDESK_URL: zendesk.url,
      ZENDESK_EMAIL: account.email,
      ZENDESK_TOKEN: account.token,
      INTERCOM_URL: intercom.url,
      INTERCOM_TOKEN: workspace.token,
    };
    example = await openExample('health', { source: 'PRODUCT_URL', more });
    schedules = await example.schedule();
  });

  after(async () => {
    await schedules[Symbol.asyncDispose]();
    await assertBooksBalance(example.warehouseUrl);
    await Promise.all([example, zendesk, intercom].map((open) => open[Symbol.asyncDispose]()));
  });

  const organizations = (): readonly string[] =>
    recordsOf(
      zendesk,
      'organizations',
      'external_id',
      'name',
      'organization_fields.health_score',
      'organization_fields.health',
      'organization_fields.open_tickets',
    );
  const contacts = (): readonly string[] =>
    recordsOf(intercom, 'contacts', 'email', 'name', 'custom_attributes.logins', 'custom_attributes.is_inactive');

  it('brings scores to Zendesk and Intercom by its schedules alone', async () => {
    await until(() => organizations().length === 3 && contacts().length === 5, 'organization and contact of each', 90);
    assert.deepEqual(organizations(), [
      'acme Acme Tools 100 healthy 0',
      'birch Birch & Sons 17 at_risk 2',
      'coral Coral Travel 72 healthy 1',
    ]);
    assert.deepEqual(contacts(), [
      'ada@acme.example Ada 20 false',
      'ben@acme.example Ben 12 false',
      'bo@birch.example Bo 4 false',
      'carl@coral.example Carl 0 true',
      'cleo@coral.example Cleo 9 false',
    ]);
    await until(() => recordsOf(zendesk, 'users', 'email').length === 5, 'user of each member', promise);
  });

  it(`shows a change of the source in both within ${promise} seconds`, async () => {
    const begun = Date.now();
    await example.source(`
      INSERT INTO tickets (organization_id, priority, status) VALUES ('coral', 'urgent', 'open');
      INSERT INTO logins (email) VALUES ('carl@coral.example')`);
    const seconds = async (isThere: () => boolean, what: string): Promise<string> => {
      await until(isThere, what, promise);
      return ((Date.now() - begun) / 1000).toFixed(1);
    };
    const [inZendesk, inIntercom] = await Promise.all([
      seconds(() => organizations().includes('coral Coral Travel 45 watch 2'), 'new score'),
      seconds(() => contacts().includes('carl@coral.example Carl 1 false'), 'new login'),
    ]);
    console.log(`      from the source to Zendesk ${inZendesk} s, to Intercom ${inIntercom} s`);
  });

  it('sends a second time only what has changed', async () => {
    const writes = (fake: Fake, key: string): number => fake.effects.filter((effect) => effect.key === key).length;
    assert.deepEqual(
      ['acme', 'birch'].map((key) => writes(zendesk, key)),
      [1, 1],
    );
    assert.equal(writes(intercom, 'ada@acme.example'), 1);
    const underWay = `SELECT FROM _millrace.sync_runs WHERE status = 'running'`;
    const assertAll = async (): Promise<void> =>
      await example.assertLedger({
        organizations: ['acme', 'birch', 'coral'],
        members: ['ada@acme.example', 'ben@acme.example', 'bo@birch.example', 'carl@coral.example', 'cleo@coral.example'],
        contacts: ['ada@acme.example', 'ben@acme.example', 'bo@birch.example', 'carl@coral.example', 'cleo@coral.example'],
      });
    // The schedules go on: another run may begin between two looks.
    let problem: unknown;
    const isRight = async (): Promise<boolean> => {
      if ((await example.warehouse(underWay)).length > 0) return false;
      problem = await assertAll().catch((error: unknown) => error);
      return problem === undefined;
    };
    await until(isRight, 'end of the runs').catch((error: unknown) => assert.fail(problem instanceof Error ? problem : String(error)));
  });
});
