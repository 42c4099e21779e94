import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { payloadCodec } from '../../client/payload-codec.ts';
import type { PayloadKeys } from '../../client/payload-keys.ts';
import { applySchedules } from '../../client/schedules.ts';
import { openCodecEndpoint } from '../../worker/codec-endpoint.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase, temporalUi } from '../servers.ts';
import { noBrowser, openUi, type OpenPage } from './browser-kit.ts';

describe(`the Temporal UI${noBrowser === undefined ? '' : `, left out: ${noBrowser}`}`, function () {
  this.timeout(300_000);
  const keys: PayloadKeys = { current: 'a', byId: new Map([['a', randomBytes(32)]]) };
  let source: string;
  let warehouse: string;
  let project: TestProject;
  let secret: TestProject;
  let ui: OpenPage;

  before(async function () {
    if (noBrowser !== undefined) this.skip();
    [source, warehouse, project, secret, ui] = await Promise.all([
      createDatabase('ui_source'),
      createDatabase('ui_warehouse'),
      openProject('ui'),
      openProject('ui-secret', { keys }),
      openUi(),
    ]);
    await sql(
      source,
      `CREATE TABLE orders (id int PRIMARY KEY, note text);
       INSERT INTO orders SELECT i, CASE WHEN i % 10 > 0 THEN 'x' END FROM generate_series(1, 12345) i;
       CREATE TABLE customers AS SELECT i AS id FROM generate_series(1, 50) i`,
    );
  });

  after(async () => {
    if (noBrowser !== undefined) return;
    await Promise.all([ui, project, secret].map((open) => open[Symbol.asyncDispose]()));
    await Promise.all([dropDatabase(source), dropDatabase(warehouse)]);
  });

  afterEach(() => assert.deepEqual(noBrowser === undefined ? ui.errors : [], [], 'the page has thrown'));

  const pipelineOf = (of: TestProject, name: string, schema: string, streams = ['orders', 'customers']) =>
    of.pipeline(name, {
      from: source,
      to: warehouse,
      schema,
      streams: streams.map((stream) => ({ stream, transform: stream === 'orders' ? [{ expect: { note: { not_null: true } } }] : [] })),
    });
  const pathOf = (workflowId: string): string => `/namespaces/default/workflows/${encodeURIComponent(workflowId)}`;
  const openMetadata = async (workflowId: string): Promise<void> => {
    await ui.open(pathOf(workflowId));
    await ui.page.getByText('User Metadata', { exact: true }).first().click();
  };

  it("shows a run's streams on its time line", async () => {
    const outcome = await project.run(pipelineOf(project, 'shop', 'landed'));
    assert.ok(outcome.ok, JSON.stringify(outcome));
    await ui.open(pathOf(`${project.project}/shop`));
    await ui.shows('orders → landed.orders (replace)');
    await ui.shows('Completed');
    await ui.screenshot('run-history');
  });

  it("shows a run's summary, details, and its table whole, as the run page", async () => {
    await openMetadata(`${project.project}/shop`);
    await ui.renders('shop: source → warehouse.landed');
    await ui.renders('orders: replace');
    await ui.renders('shop: succeeded');
    await ui.renders('stream status read loaded rejected rate time');
    await ui.renders('orders loaded 12 345 11 111 1 234');
    await ui.shows('customers → landed.customers (replace)');
    await ui.screenshot('run-page');
    await ui.showsBoxesWhole();
  });

  it('shows what each step of a stream does', async () => {
    await ui.open(pathOf(`${project.project}/shop/orders`));
    for (const summary of ['plan orders', 'prepare landed.orders', 'extract orders 1/1', 'transform orders 1/1', 'commit orders']) {
      await ui.shows(summary);
    }
    await ui.shows('load orders 1/1: 11\u00A0111 rows');
    await ui.screenshot('stream-history');
  });

  it('shows why a run failed, and what its other streams did', async () => {
    const outcome = await project.run(pipelineOf(project, 'typo', 'typo', ['customers', 'ordres']));
    assert.ok(!outcome.ok);
    await openMetadata(`${project.project}/typo`);
    await ui.renders('typo: failed');
    await ui.renders('ordres: not-found');
    await ui.renders('customers loaded 50 50');
    await ui.screenshot('run-page-failed');
  });

  it('shows a schedule with its times and what it starts', async () => {
    const schedule = { when: { every: 900_000 }, timezone: 'UTC', jitter: 0, catchUp: 60_000 };
    const definition = pipelineOf(project, 'planned', 'planned');
    await applySchedules(project.client, project.project, [{ runnable: { kind: 'pipeline', definition }, schedule, hash: 'h' }]);
    try {
      await ui.open(`/namespaces/default/schedules/${encodeURIComponent(`${project.project}/planned`)}`);
      await ui.shows(`${project.project}/planned`);
      await ui.shows('Upcoming Runs');
      await ui.shows(':45:00.00');
      await ui.shows('"pipeline": {');
      await ui.screenshot('schedule');
    } finally {
      await applySchedules(project.client, project.project, [], { prune: true });
    }
  });

  it('shows an encrypted run to those who enter the codec endpoint, and to nobody else', async () => {
    const outcome = await secret.run(pipelineOf(secret, 'shop', 'secret'));
    assert.ok(outcome.ok, JSON.stringify(outcome));
    const origins = [new URL(await temporalUi()).origin];
    await using endpoint = await openCodecEndpoint({ codec: payloadCodec(keys), origins, stateFolder: join(secret.folder, '.millrace') });
    const path = pathOf(`${secret.project}/shop`);
    await ui.open(path);
    await ui.shows('Workflow Execution Completed');
    await ui.screenshot('encrypted');
    for (const text of ['"format"', 'secret.orders']) assert.ok(!(await ui.page.locator('body').innerText()).includes(text), text);
    await ui.page
      .locator('button:has([data-testid="glasses"]), [data-testid="data-encoder-status"], button[aria-label*="odec"]')
      .first()
      .click();
    await ui.page.locator('#data-encoder-endpoint-input').fill(endpoint.address);
    await ui.screenshot('codec-settings');
    await ui.page.getByText('Apply', { exact: true }).click();
    await ui.open(path);
    await ui.shows('"format"');
    await ui.shows('orders → secret.orders (replace)');
    await openMetadata(`${secret.project}/shop`);
    await ui.renders('orders loaded 12 345 11 111 1 234');
    await ui.screenshot('decrypted');
  });
});
