import assert from 'node:assert/strict';
import type { Client } from '@temporalio/client';
import { searchAttributesOf } from '../../client/search-attributes.ts';
import { eventsOf } from '../durability/events.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { recordedModel, recordedPipeline, recordedTables, recordedVariable } from '../recorded.ts';
import { createDatabase, dropDatabase } from '../servers.ts';

const moving = ['expand', 'plan', 'prepare', 'extract', 'transform', 'load', 'commit', 'giveUp', 'build'];

interface ShownStep {
  readonly name: string;
  readonly summaryBytes: number;
  readonly heartbeat: number;
  readonly startToClose: number;
}

const secondsOf = (duration: { readonly seconds?: unknown } | null | undefined): number => Number(duration?.seconds ?? 0);

/** The steps that a workflow asked for, with their time-outs in seconds. */
async function shownSteps(client: Client, id: string): Promise<readonly ShownStep[]> {
  return (await eventsOf(client, id)).flatMap(({ activityTaskScheduledEventAttributes: step, userMetadata }) => {
    if (!step) return [];
    const { activityType, heartbeatTimeout, startToCloseTimeout } = step;
    const summaryBytes = userMetadata?.summary?.data?.length ?? 0;
    const [heartbeat, startToClose] = [secondsOf(heartbeatTimeout), secondsOf(startToCloseTimeout)];
    return { name: activityType?.name ?? '', summaryBytes, heartbeat, startToClose };
  });
}

describe('what a run shows to Temporal', function () {
  this.timeout(120_000);
  let project: TestProject;
  let database: string;
  let ids: readonly string[];

  before(async () => {
    [database, project] = await Promise.all([createDatabase('shows'), openProject('shows')]);
    process.env[recordedVariable] = database;
    await sql(database, recordedTables);
    const pipeline = recordedPipeline(project.project);
    const outcome = await project.run(pipeline);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    const id = `${project.project}/shop`;
    ids = [id, `${id}/goods`, `${id}/prices`, `${project.project}/names`];
  });
  after(async () => {
    await project[Symbol.asyncDispose]();
    await dropDatabase(database);
  });

  it('is a sentence for every step, and every step that moves data proves that it lives', async () => {
    const seen = new Set<string>();
    for (const step of (await Promise.all(ids.map((id) => shownSteps(project.client, id)))).flat()) {
      seen.add(step.name);
      assert.ok(step.summaryBytes > 2, `${step.name} has a summary`);
      assert.equal(step.heartbeat, moving.includes(step.name) ? 60 : 0, `heartbeat time-out of ${step.name}`);
      assert.ok(step.startToClose > 0, step.name);
    }
    assert.deepEqual([...seen].toSorted(), ['build', 'cleanUp', 'commit', 'expand', 'extract', 'load', 'plan', 'prepare', 'transform']);
  });

  it('is what it is, for people and by its memo', async () => {
    const expected = [
      [/\*\*shop\*\*: source → warehouse\.landed/, { project: project.project, name: 'shop', kind: 'pipeline', definitionHash: 'test' }],
      [/goods → landed\.goods \(merge\)/, { project: project.project, pipeline: 'shop', stream: 'goods' }],
      [/prices → landed\.prices \(replace\)/, { project: project.project, pipeline: 'shop', stream: 'prices' }],
      [/model names/, { project: project.project, model: 'names' }],
    ] as const;
    for (const [index, [summary, memo]] of expected.entries()) {
      const description = await project.client.workflow.getHandle(ids[index] ?? '').describe();
      assert.match((await description.staticSummary()) ?? '', summary);
      for (const [key, value] of Object.entries(memo)) assert.equal(description.memo?.[key], value, `${ids[index]}: ${key}`);
    }
  });

  it('holds no password', async () => {
    const { password } = new URL(database);
    const url = database.replace(/^postgres:\/\//, '');
    for (const id of ids) {
      const text = JSON.stringify(await eventsOf(project.client, id), (_, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString() : value,
      );
      assert.ok(!text.includes(url) && (password === '' || !text.includes(password)), id);
    }
  });

  it('has no search attributes where the server refuses to add them', async () => {
    const refusing = {
      connection: {
        operatorService: {
          listSearchAttributes: async () => ({ customAttributes: {} }),
          addSearchAttributes: async () => Promise.reject(new Error('not allowed')),
        },
      },
      options: { namespace: 'default' },
    } as unknown as Client;
    assert.deepEqual(await searchAttributesOf(refusing, 'p', 'n', 'pipeline'), []);
    assert.equal((await searchAttributesOf(project.client, 'p', 'n', 'pipeline')).length, 3);
  });

  it('is a failure of one sentence when a model fails', async () => {
    const outcome = await project.run(recordedModel(project.project, { name: 'broken', sql: 'SELECT nothing' }));
    assert.deepEqual([outcome.ok, !outcome.ok && outcome.code], [false, 'config']);
  });
});
