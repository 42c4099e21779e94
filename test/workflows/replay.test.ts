import assert from 'node:assert/strict';
import { defaultPayloadConverter } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import { taskQueueOf } from '../../client/names.ts';
import { runOutcome } from '../../client/runs.ts';
import type { PipelineRun } from '../../schema/run.ts';
import { assertBooksBalance } from '../kits/books.ts';
import { openProject, quietRuntime, sql, testBundle } from '../pipeline-kit.ts';
import { historyOfJson, recordedHistories, recordedTables, recordedVariable, type RecordedHistory } from '../recorded.ts';
import { createDatabase, dropDatabase } from '../servers.ts';

const replay = async ({ json }: Pick<RecordedHistory, 'json'>): Promise<void> =>
  Worker.runReplayHistory({ workflowBundle: await testBundle() }, historyOfJson(json));

describe('recorded histories', function () {
  this.timeout(120_000);
  let histories: readonly RecordedHistory[];
  before(async () => {
    quietRuntime();
    histories = await recordedHistories();
  });

  const named = (name: string): RecordedHistory => {
    const found = histories.find((history) => history.name === `${name}.json`);
    assert.ok(found !== undefined, name);
    return found;
  };

  it('of pipelines, streams, models, syncs and webhooks, good ones and failed ones, replay with the workflows of today', async () => {
    assert.ok(histories.length >= 13);
    for (const history of histories) await assert.doesNotReject(replay(history), history.name);
  });

  const steps = {
    'stream-of-partitions': ['plan', 'prepare', 'extract', 'load', 'commit', 'cleanUp'],
    deliver: ['planSync', 'sendRows', 'endSync'],
    webhook: ['postChanges', 'buryChange'],
    'webhook-replay': ['replayLetter'],
  };
  for (const [name, names] of Object.entries(steps)) {
    it(`do not replay when a step is renamed (${name})`, async () => {
      const { json } = named(name);
      for (const step of names) {
        const renamed = json.replaceAll(`"name": "${step}"`, `"name": "${step}Renamed"`);
        assert.notEqual(renamed, json, step);
        await assert.rejects(replay({ json: renamed }), /[Nn]ondeterminism/, step);
      }
    });
  }

  it('hold nothing of a machine and no secret', () => {
    for (const { name, json } of histories) {
      const decoded = json.replaceAll(/"data": "([^"]*)"/g, (_, data: string) => Buffer.from(data, 'base64').toString());
      assert.doesNotMatch(decoded, /postgres:\/\/|\/home\/|\/tmp\/|\/work\//, name);
    }
  });

  describe('hold inputs of definition format 1', () => {
    const inputOf = (): PipelineRun => {
      const [event] = historyOfJson(named('pipeline').json).events;
      const [payload] = event?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
      assert.ok(payload !== undefined);
      return defaultPayloadConverter.fromPayload<PipelineRun>(payload);
    };

    it('which run today; those of a newer format are refused with both versions named', async () => {
      const database = await createDatabase('recorded');
      process.env[recordedVariable] = database;
      await sql(database, recordedTables);
      await using project = await openProject('replayed');
      const start = async (input: PipelineRun) => {
        const workflowId = `${project.project}/${input.pipeline.format}`;
        await project.client.workflow.start('pipeline', { workflowId, taskQueue: taskQueueOf(project.project), args: [input] });
        return await runOutcome(project.client, { kind: 'pipeline' }, { workflowId, runId: '' });
      };
      const recorded = inputOf();
      assert.equal(recorded.pipeline.format, 1);
      const outcome = await start(recorded);
      assert.ok(outcome.ok, JSON.stringify(outcome));
      assert.deepEqual(
        outcome.report?.streams.map(({ stream, loaded, rejected }) => ({ stream, loaded, rejected })),
        [
          { stream: 'goods', loaded: 300, rejected: 0 },
          { stream: 'prices', loaded: 19, rejected: 1 },
        ],
      );
      await assertBooksBalance(database);

      const newer = { ...recorded.pipeline, format: 2, streams: undefined as never, flows: [{ meaning: 'of tomorrow' }] };
      const refused = await start({ ...recorded, pipeline: newer });
      assert.ok(!refused.ok);
      assert.equal(refused.code, 'config');
      assert.match(refused.message, /definition format 2; this worker reads up to 1\): update the worker/);
      await dropDatabase(database);
    });
  });
});
