import assert from 'node:assert/strict';
import type { Field, ObjectDescription } from '../../connectors/application.ts';
import { taskQueueOf } from '../../client/names.ts';
import type { Checked } from '../../schema/check.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import { openSyncProject, type SyncProject } from '../sync-kit.ts';

const field = (name: string, more: Partial<Field> = {}): Field => ({
  name,
  type: 'string',
  required: false,
  readOnly: false,
  unique: false,
  ...more,
});

const description: ObjectDescription = {
  closed: true,
  fields: [
    field('key', { unique: true }),
    field('value'),
    field('created', { type: 'datetime', readOnly: true }),
    field('score', { type: 'number' }),
    field('plan', { type: 'enum', options: ['free', 'paid'] }),
    field('owner', { required: true }),
  ],
};

describe('the check of a sync', function () {
  this.timeout(120_000);
  let place: SyncProject;
  before(async () => {
    place = await openSyncProject('check');
    await place.sql(`CREATE TABLE customers (key text, value text, active boolean, at timestamptz, plan text);
      INSERT INTO customers VALUES ('a', 'v', true, now(), 'free'), ('b', 'w', false, now(), 'trial')`);
  });
  after(() => place[Symbol.asyncDispose]());

  const check = async (more: Partial<SyncDefinition>): Promise<Checked> => {
    const model = { name: 'customers', sql: 'SELECT * FROM customers', key: ['key'], after: [] };
    const syncs = [place.sync({ model, settings: { description }, ...more })];
    const [checked] = await place.project.client.workflow.execute<(input: unknown) => Promise<readonly Checked[]>>('check', {
      workflowId: `${place.project.project}/check`,
      taskQueue: taskQueueOf(place.project.project),
      args: [{ connections: [], pipelines: [], syncs }],
    });
    assert.ok(checked !== undefined);
    return checked;
  };
  const mapping = (column: string, to = column): SyncDefinition['map'] => [{ column, field: to, whenNull: 'clear' }];
  const problems = async (more: Partial<SyncDefinition>): Promise<readonly string[]> => (await check(more)).problems;

  it('finds nothing where all is well, and names what it writes', async () => {
    const checked = await check({ map: mapping('value'), mode: 'upsert' });
    assert.deepEqual([checked.problems, checked.system], [[], 'app.things of ledgered']);
    assert.deepEqual(checked.warnings, [
      'new objects need owner: give it a column in map; until then only objects that are there can be written',
    ]);
    assert.deepEqual(await place.sql(`SELECT FROM pg_namespace WHERE nspname = '_millrace'`), []);
  });

  it('names unknown fields and columns with the nearest', async () => {
    assert.deepEqual(await problems({ map: mapping('value', 'valeu') }), ['there is no field valeu; did you mean value?']);
    assert.deepEqual(await problems({ map: mapping('vlaue', 'value') }), ['model customers has no column vlaue; did you mean value?']);
  });

  it('names fields that cannot be written, and types that do not fit', async () => {
    assert.deepEqual(await problems({ map: mapping('at', 'created') }), ["field created can't be written: take it out of map"]);
    assert.deepEqual(await problems({ map: mapping('active', 'score') }), [
      "column active (boolean) to field score (number): its values don't fit",
    ]);
  });

  it('counts values that a picklist does not take, without naming them', async () => {
    const { warnings } = await check({ map: mapping('plan') });
    assert.ok(warnings.includes("column plan: 1 rows have a value that field plan doesn't take; it takes free, paid"), warnings.join('; '));
  });

  it('names required fields of new objects, and a match that finds several', async () => {
    assert.deepEqual(
      await problems({ map: mapping('value'), mode: 'insert', settings: { description, settles: { create: 'lookup' } } } as never),
      ['new objects need owner: give it a column in map'],
    );
    assert.match((await problems({ match: [{ column: 'key', field: 'value' }] }))[0] ?? '', /field value doesn't find one object.*: key$/);
  });

  it('says what a mode needs, what a query gets wrong, and that an application cannot be reached', async () => {
    assert.match((await problems({ mode: 'add' }))[0] ?? '', /has no add, which mode add needs/);
    const model = { name: 'customers', sql: 'SELECT nothing FROM customers', key: ['key'], after: [] };
    assert.match((await problems({ model }))[0] ?? '', /column "nothing" does not exist/);
  });
});
