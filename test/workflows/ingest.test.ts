import assert from 'node:assert/strict';
import { join } from 'node:path';
import { taskQueueOf } from '../../client/names.ts';
import { ingestWaker, ingestWorkflowId, retryIngest } from '../../client/wake-ingest.ts';
import { sealedNumbers } from '../../connectors/ingest/segments.ts';
import { openDatasets } from '../../connectors/postgres/datasets/datasets.ts';
import { standingOf } from '../../client/standing.ts';
import { isProvenKey } from '../../schema/dataset.ts';
import type { ModelDefinition, PipelineDefinition } from '../../schema/definition.ts';
import type { IngestReport } from '../../schema/ingest.ts';
import { clicksPipeline, openIngestGateway } from '../kits/ingest.ts';
import { defineStream } from '../kits/stream-definition.ts';
import { openProject, sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { findStanding } from '../../worker/standing.ts';
import { until } from './until.ts';

describe('The workflow of events', function () {
  this.timeout(120_000);

  async function open(more: Parameters<typeof clicksPipeline>[3] = {}) {
    const database = await createDatabase('ingest');
    const project = await openProject('ingest');
    const staging = join(project.folder, 'staging');
    let wake: ReturnType<typeof ingestWaker> | undefined;
    const gateway = await openIngestGateway({
      project: project.project,
      staging,
      wake: async (name, pending) => await wake?.(name, pending),
    });
    const definition = clicksPipeline(project.project, gateway.schemaPath, database, more);
    wake = ingestWaker(project.client, [{ definition, hash: 'one' }]);
    const handle = project.client.workflow.getHandle(ingestWorkflowId(definition));
    return {
      database,
      project,
      gateway,
      definition,
      handle,
      report: async () => await handle.query<IngestReport>('ingestProgress'),
      rows: async (text = 'SELECT * FROM landed.clicks ORDER BY event_id') => await sql(database, text).catch(() => []),
      async [Symbol.asyncDispose]() {
        await gateway[Symbol.asyncDispose]();
        await handle.terminate().catch(() => undefined);
        await project[Symbol.asyncDispose]();
        await dropDatabase(database);
      },
    };
  }

  it('loads what was posted within seconds, each event once, with its numbers exact', async () => {
    await using at = await open();
    const exact =
      '{"event_id":"a","user":9007199254740993,"price":0.10000000000000000001,"at":"2026-01-31T12:00:00.123456+02:00","page":{"n":12345678901234567890.5}}';
    const first = await at.gateway.post(exact);
    assert.equal(first.status, 202, JSON.stringify(first.body));
    assert.deepEqual(await at.gateway.post([{ event_id: 'b' }, { event_id: 'c', seen: true }]).then(({ body }) => body), {
      accepted: 2,
      duplicates: 0,
      rejected: [],
    });
    await until(async () => (await at.rows()).length === 3, 'three events');
    const [row] = await at.rows();
    assert.equal(row?.['user'], '9007199254740993');
    assert.equal(row?.['price'], '0.10000000000000000001');
    assert.equal(row?.['page'], '{"n": 12345678901234567890.5}');
    assert.match(row?.['at'] ?? '', /2026-01-31 1\d:00:00.123456/);
  });

  it('a primary key that the table was given by hand stays, proves the key, and loads go on', async () => {
    await using at = await open();
    await at.gateway.post({ event_id: 'a' });
    await until(async () => (await at.rows()).length === 1, 'one event');
    const proven = async (): Promise<boolean> => {
      await using datasets = await openDatasets({ type: 'postgres', url: at.database }, 'warehouse', {
        timeout: 5_000,
        exportTimeout: 5_000,
        connections: 1,
      });
      return isProvenKey(await datasets.describe({ kind: 'table', schema: 'landed', table: 'clicks' }), ['event_id']);
    };
    assert.equal(await proven(), false);
    await sql(at.database, 'ALTER TABLE landed.clicks ADD PRIMARY KEY (event_id)');
    assert.equal(await proven(), true);
    await using other = await openIngestGateway({
      project: at.project.project,
      staging: join(at.project.folder, 'staging'),
      wake: async () => await ingestWaker(at.project.client, [{ definition: at.definition, hash: 'one' }])('clicks'),
    });
    await other.post([{ event_id: 'a' }, { event_id: 'b' }]);
    await until(async () => (await at.rows()).length === 2, 'two events');
    await until(async () => (await at.report()).duplicates === 1, 'duplicate');
    assert.deepEqual([await proven(), (await at.report()).notes], [true, undefined]);
  });

  it('drops an event that came before, whenever that was', async () => {
    await using at = await open();
    await at.gateway.post({ event_id: 'a' });
    await until(async () => (await at.rows()).length === 1, 'one event');
    // Another gateway, which remembers nothing.
    await using other = await openIngestGateway({
      project: at.project.project,
      staging: join(at.project.folder, 'staging'),
      wake: async () => await ingestWaker(at.project.client, [{ definition: at.definition, hash: 'one' }])('clicks'),
    });
    await other.post([{ event_id: 'a' }, { event_id: 'b' }]);
    await until(async () => (await at.rows()).length === 2, 'two events');
    await until(async () => (await at.report()).duplicates === 1, 'duplicate');
    const indexes = await at.rows("SELECT indexdef FROM pg_indexes WHERE tablename = 'clicks'");
    assert.ok(indexes.some(({ indexdef }) => indexdef?.includes('(event_id)')));
    assert.equal((await at.report()).notes, undefined);
    await at.rows('DROP INDEX landed.clicks_event_id_idx');
    await at.gateway.post({ event_id: 'c' });
    await until(async () => (await at.rows()).length === 3 && (await at.report()).notes !== undefined, 'note');
    assert.match(
      (await at.report()).notes?.[0] ?? '',
      /no index on event_id.*CREATE INDEX CONCURRENTLY ON "landed"."clicks" \("event_id"\)/,
    );
  });

  it('begins loads at least a second apart while events keep coming, without a timer of the server', async () => {
    await using at = await open();
    let no = 0;
    await until(async () => {
      for (let one = 0; one < 3; one += 1) await at.gateway.post({ event_id: `e${(no += 1)}` });
      if (no % 30 === 0) await ingestWaker(at.project.client, [{ definition: at.definition, hash: 'one' }])('clicks');
      return ((await at.report().catch(() => undefined))?.loads ?? 0) >= 3;
    }, 'three loads');
    const { events } = await at.handle.fetchHistory();
    const starts = (events ?? []).flatMap(({ activityTaskCompletedEventAttributes: completed }): number[] => {
      const found = (completed?.result?.payloads ?? []).map(
        ({ data }) => /"startedAt":(\d+)/.exec(Buffer.from(data ?? '').toString())?.[1],
      );
      return found.flatMap((startedAt) => (startedAt === undefined ? [] : [Number(startedAt)]));
    });
    assert.ok(starts.length >= 3, String(starts.length));
    for (const [index, start] of starts.slice(1).entries()) assert.ok(start - (starts[index] ?? 0) >= 1000, starts.join(' '));
    assert.ok((events ?? []).every(({ timerStartedEventAttributes: timer }) => timer === undefined || timer === null));
  });

  it('has no timer and no task while nothing comes', async () => {
    await using at = await open();
    await at.gateway.post({ event_id: 'a' });
    await until(async () => (await at.report().catch(() => undefined))?.status === 'idle' && (await at.rows()).length === 1, 'one event');
    await until(async () => (await at.report()).status === 'idle', 'idle workflow');
    const length = async (): Promise<number> => (await at.handle.describe()).historyLength;
    // What the last load has still to do may come a little later.
    await until(async () => {
      const before = await length();
      await new Promise((resolve) => setTimeout(resolve, 1500));
      return (await length()) === before;
    }, 'rest');
  });

  it('says what fails, and takes up a definition that mends it without waiting', async () => {
    await using at = await open({ to: { name: 'warehouse', type: 'postgres', settings: { type: 'postgres', url: 'not a url' } } });
    await at.gateway.post({ event_id: 'a' });
    await until(async () => (await at.report()).failure?.code === 'config', 'failure');
    const mended = clicksPipeline(at.project.project, at.gateway.schemaPath, at.database);
    await ingestWaker(at.project.client, [{ definition: mended, hash: 'two' }])('clicks');
    await until(async () => (await at.rows()).length === 1, 'one event');
    await until(async () => (await at.report()).failure === undefined, 'end of the failure');
  });

  it('holds loads while it is paused, and loses nothing', async () => {
    await using at = await open();
    await at.gateway.post({ event_id: 'a' });
    await until(async () => (await at.rows()).length === 1, 'one event');
    await at.handle.signal('pause');
    await at.gateway.post({ event_id: 'b' });
    await until(async () => at.gateway.woken.length >= 2, 'second call');
    await until(async () => (await at.report()).status === 'paused', 'end of the first load');
    assert.equal((await at.rows()).length, 1);
    await at.handle.signal('resume');
    await until(async () => (await at.rows()).length === 2, 'two events');
  });

  it('loads nothing when a time ends that it waited for while it was paused', async () => {
    await using at = await open();
    const model = { name: 'never', project: at.project.project } as unknown as ModelDefinition;
    await at.project.client.workflow.start('ingest', {
      workflowId: at.handle.workflowId,
      taskQueue: taskQueueOf(at.project.project),
      args: [{ pipeline: { ...at.definition, models: [model] }, hash: 'one', unbuilt: true, builtAt: Date.now() - 55_000 }],
    });
    await until(async () => (await at.report()).status === 'idle', 'rest');
    await at.handle.signal('pause');
    await at.gateway.post({ event_id: 'a' });
    const events = async () => (await at.handle.fetchHistory()).events ?? [];
    await until(async () => (await events()).some(({ timerFiredEventAttributes: fired }) => (fired ?? undefined) !== undefined), 'timer');
    assert.equal((await at.report()).status, 'paused');
    assert.ok((await events()).every(({ activityTaskScheduledEventAttributes: step }) => (step ?? undefined) === undefined));
  });

  it('takes up rejections by a mended definition, with its loads, and says what became of them', async () => {
    const strict = defineStream({ stream: 'clicks', mode: 'append', transform: [{ expect: { user: { not_null: true } } }] });
    await using at = await open({ streams: [strict] });
    await at.gateway.post([{ event_id: 'a' }, { event_id: 'b', user: 1 }]);
    await until(async () => (await at.report()).rejected === 1, 'rejection');
    const mended = clicksPipeline(at.project.project, at.gateway.schemaPath, at.database);
    await retryIngest(at.project.client, { definition: mended, hash: 'two' }, 'first');
    await until(async () => (await at.report()).retried?.ids.includes('first') === true, 'retry');
    const { notes = [], ...counts } = (await at.report()).retried ?? {};
    assert.deepEqual(counts, { ids: ['first'], loaded: 1, rejected: 0 });
    assert.equal(notes[0], 'rejections taken up again: 1');
    assert.deepEqual(
      (await at.rows()).map(({ event_id: id }) => id),
      ['a', 'b'],
    );
    await at.gateway.post({ event_id: 'c' });
    await until(async () => (await at.rows()).length === 3, 'later event');
    await retryIngest(at.project.client, { definition: mended, hash: 'two' }, 'second');
    await until(async () => (await at.report()).retried?.ids.includes('second') === true, 'retry of none');
    assert.deepEqual((await at.report()).retried?.notes, ['no open rejections']);
  });

  it('goes on as a new run with what it knows, where the gateway wakes it as before', async () => {
    await using at = await open();
    await at.gateway.post({ event_id: 'a' });
    await until(async () => (await at.report()).loads === 1 && (await at.report()).status === 'idle', 'first load');
    const before = await at.report();
    await at.handle.terminate();
    await at.project.client.workflow.start('ingest', {
      workflowId: at.handle.workflowId,
      taskQueue: taskQueueOf(at.project.project),
      args: [{ pipeline: at.definition, hash: 'one', report: before, woken: false }],
    });
    await at.gateway.post({ event_id: 'b' });
    await until(async () => (await at.report()).loads === 2, 'second load');
    assert.equal((await at.report()).loaded, 2);
    assert.equal((await at.rows()).length, 2);
  });

  it('is late when events wait for too long, and when none come where the pipeline itself expects some', async () => {
    await using at = await open();
    const { client, project } = at.project;
    const late = async (more: Partial<PipelineDefinition>): Promise<boolean> =>
      (await standingOf(client, { kind: 'pipeline', definition: { ...at.definition, ...more } }, undefined)).late;
    assert.deepEqual([await late({ expectEvery: 1 }), await late({ expectEvery: 1, expectsEvents: true })], [false, true]);
    await at.gateway.post({ event_id: 'a' });
    await until(async () => (await at.report().catch(() => undefined))?.status === 'idle' && (await at.rows()).length === 1, 'one event');
    const standing = await standingOf(client, { kind: 'pipeline', definition: at.definition }, undefined);
    assert.deepEqual([standing.runs[0]?.state, standing.ingest?.loaded, standing.late], ['running', 1, false]);
    assert.ok(Date.now() - (standing.lastSuccess?.getTime() ?? 0) < 60_000);
    assert.equal(await late({ expectEvery: 1 }), false);
    const watched = async (): Promise<number> => Date.now() - ((await findStanding(client, project, 'clicks')).lastSuccess ?? 0);
    await until(async () => (await watched()) < 5000, 'the watch to see it');
    const asks = { ...at.definition, expectEvery: 1, expectsEvents: true as const };
    await ingestWaker(client, [{ definition: asks, hash: 'two' }])('clicks');
    await until(async () => (await at.report()).status === 'idle' && (await at.report()).expectsEvents === true, 'its definition');
    assert.equal(await late({ expectEvery: 1, expectsEvents: true }), true);
    assert.equal((await findStanding(client, project, 'clicks')).lastSuccess, Date.parse((await at.report()).last[0]?.at ?? ''));
    const [underWay] = (await findStanding(client, project, 'clicks')).underWay;
    assert.match(underWay?.sentence ?? '', /^clicks: under way/);
  });

  it('keeps a run of the pipeline off the stream, and refuses to read everything again: what was loaded is gone from staging', async () => {
    await using at = await open();
    await at.gateway.post({ event_id: 'a' });
    await until(async () => (await at.rows()).length === 1 && (await at.report()).status === 'idle', 'one event');
    const other = await at.project.run(at.definition);
    assert.ok(!other.ok);
    assert.equal(other.code, 'conflict');
    assert.match(other.message, /another run is loading clicks/);
    await at.handle.terminate();
    const outcome = await at.project.run(at.definition, { fullRefresh: true });
    assert.ok(!outcome.ok);
    assert.equal(outcome.code, 'config');
    assert.match(outcome.message, /events can't be read again/);
    assert.equal((await at.rows()).length, 1);
  });

  it('removes what is loaded, but the newest segment', async () => {
    await using at = await open();
    for (const id of ['a', 'b', 'c']) {
      await at.gateway.post({ event_id: id });
      await until(async () => (await at.rows()).some((row) => row['event_id'] === id), id);
    }
    await until(async () => (await sealedNumbers(at.gateway.folder)).length === 1, 'one segment');
    assert.deepEqual(await sealedNumbers(at.gateway.folder), [3]);
  });
});
