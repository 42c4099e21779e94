import assert from 'node:assert/strict';
import type { SyncReport } from '../../schema/sync.ts';
import { openSyncProject, postgresConnection, type SyncProject } from '../sync-kit.ts';
import { until } from '../workflows/until.ts';
import { noBrowser, openUi, type OpenPage } from './browser-kit.ts';

const variable = 'MILLRACE_TEST_UI_WAREHOUSE';

describe(`the Temporal UI of syncs${noBrowser === undefined ? '' : `, left out: ${noBrowser}`}`, function () {
  this.timeout(120_000);
  let place: SyncProject;
  let ui: OpenPage;
  let secret: string;

  before(async function () {
    if (noBrowser !== undefined) this.skip();
    [place, ui] = await Promise.all([openSyncProject('sync-ui'), openUi()]);
    const warehouse = new URL(place.warehouse);
    // Servers that the tests start ask for a password; one that is given may not.
    if (warehouse.password === '') warehouse.password = 'hunter2-of-the-warehouse';
    secret = decodeURIComponent(warehouse.password);
    process.env[variable] = warehouse.href;
    await place.sql(
      `CREATE TABLE customers AS
         SELECT 'c' || i || '@example.org' AS key, 'value-of-row ' || i AS value FROM generate_series(1, 12345) i
         UNION ALL SELECT 'twice@example.org', 'value-of-row twice' FROM generate_series(1, 1200)
         UNION ALL SELECT NULL, 'value-of-row none'`,
    );
  });

  after(async () => {
    if (noBrowser !== undefined) return;
    delete process.env[variable];
    await Promise.all([ui, place].map((open) => open[Symbol.asyncDispose]()));
  });

  afterEach(() => assert.deepEqual(noBrowser === undefined ? ui.errors : [], [], 'the page has thrown'));

  const syncOf = (name: string, more: Parameters<SyncProject['sync']>[0] = {}) => {
    const warehouse = postgresConnection('warehouse', `\${env:${variable}}`);
    const settings = { settles: { upsert: 'none' }, concurrency: 1 } as const;
    return place.sync({ name, object: name, warehouse, state: warehouse, settings, ...more });
  };
  const pathOf = (workflowId: string): string => `/namespaces/default/workflows/${encodeURIComponent(workflowId)}`;
  const openMetadata = async (workflowId: string): Promise<void> => {
    await ui.open(pathOf(workflowId));
    await ui.page.getByText('User Metadata', { exact: true }).first().click();
  };
  const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ' ');
  const numbersOf = ({ planned, sent, acknowledged, rejected, unknown, invalid }: SyncReport): string =>
    [planned, sent, acknowledged, rejected, unknown, invalid].map(grouped).join(' ');
  const head = 'planned sent acknowledged rejected unknown invalid';

  async function showsNoValue(): Promise<void> {
    const text = `${await ui.page.locator('body').innerText()}\n${await ui.rendered()}`;
    assert.ok(!text.includes(secret), 'the password of the warehouse');
    assert.doesNotMatch(text, /value-of-row|@example\.org/);
  }

  it('shows the table with its numbers while a run lives, and at its end with the reasons', async () => {
    const { state } = place.ledgered;
    for (let no = 10; no <= 12_340; no += 10) state.refused.set(`c${no}@example.org`, `"c${no}@example.org" is no address of a customer`);
    place.ledgered.trouble({ matches: ({ text }) => text.includes('"c5001@example.org"'), cut: 'after' });
    place.ledgered.latency = 130;
    const sync = syncOf('crm');
    const workflowId = `${place.project.project}/crm`;
    const running = place.report(sync);
    const handle = place.project.client.workflow.getHandle(workflowId);
    let seen: SyncReport | undefined;
    try {
      await until(async () => {
        seen = await handle.query<SyncReport>('progress');
        return seen.acknowledged > 0;
      }, 'progress of the run');
      assert.ok(seen !== undefined && seen.acknowledged < 11_000, JSON.stringify(seen));
      await openMetadata(workflowId);
      await ui.renders('crm: running, send ');
      await ui.renders(head);
      await ui.renders(numbersOf(seen));
      await ui.screenshot('sync-page-live');
      await ui.showsBoxesWhole();
      await showsNoValue();
    } finally {
      place.ledgered.latency = 0;
    }
    const ended = await running;
    assert.deepEqual([ended.planned, ended.unknown, ended.invalid], [12_345, 100, 1201]);
    assert.ok(ended.rejected > 1200, String(ended.rejected));
    assert.equal(ended.planned, ended.acknowledged + ended.rejected + ended.unknown);
    await openMetadata(workflowId);
    await ui.renders('crm: succeeded');
    await ui.renders(head);
    await ui.renders(numbersOf(ended));
    await ui.renders('12 345 upsert, ');
    for (const note of ended.notes) await ui.renders(note.replaceAll(/\s+/g, ' '));
    assert.match(await ui.rendered(), /× rejected: … is no address of a customer/);
    await ui.screenshot('sync-page');
    await ui.showsBoxesWhole();
    await showsNoValue();
  });

  it("shows a run's summary, its mapping, and what it sends on its time line", async () => {
    const workflowId = `${place.project.project}/crm`;
    await openMetadata(workflowId);
    await ui.renders('crm: customers → app.crm (upsert)');
    await ui.renders('value → value');
    await ui.open(pathOf(workflowId));
    await ui.shows('customers → app.crm (upsert)');
    await ui.shows('Completed');
    await ui.screenshot('sync-history');
    await showsNoValue();
  });

  it('shows what each step of a delivery does', async () => {
    await ui.open(pathOf(`${place.project.project}/crm/crm`));
    for (const summary of ['plan crm', 'send crm from row 1', 'end crm']) await ui.shows(summary);
    await ui.screenshot('sync-delivery-history');
    await showsNoValue();
    await openMetadata(`${place.project.project}/crm/crm`);
    await ui.renders('crm: succeeded');
    await ui.showsBoxesWhole();
  });

  it('shows why a run failed, with what it sent until then', async () => {
    place.ledgered.state.refused.clear();
    place.ledgered.trouble({ answer: { status: 401 }, times: 100, matches: ({ text }) => text.includes('"c7500@example.org"') });
    const model = { name: 'some', sql: `SELECT key, value FROM customers WHERE key LIKE 'c7%'`, key: ['key'], after: [] };
    const outcome = await place.run(syncOf('shop', { model }));
    assert.ok(!outcome.ok && outcome.sync !== undefined && outcome.sync.acknowledged > 0, JSON.stringify(outcome));
    await openMetadata(`${place.project.project}/shop`);
    await ui.renders('shop: failed at send\n');
    await ui.renders('auth: ledgered: it refuses the credential; set another');
    await ui.renders(numbersOf(outcome.sync));
    await ui.screenshot('sync-page-failed');
    await ui.showsBoxesWhole();
    await showsNoValue();
  });
});
