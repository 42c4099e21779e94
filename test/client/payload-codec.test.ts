import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { dataConverterOf, payloadCodec } from '../../client/payload-codec.ts';
import { readPayloadKeys, type PayloadKeys } from '../../client/payload-keys.ts';
import { runOutcome, startRun } from '../../client/runs.ts';
import { applySchedules } from '../../client/schedules.ts';
import { troublesOf } from '../../client/trouble.ts';
import type { PipelineDefinition } from '../../schema/definition.ts';
import { openProject, sql, type TestProject } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { until } from '../workflows/until.ts';

const key = (): string => randomBytes(32).toString('base64');
const read = async (text: string): Promise<PayloadKeys> => {
  const keys = await readPayloadKeys({ MILLRACE_PAYLOAD_KEYS: text });
  assert.ok(keys);
  return keys;
};
const [first, second] = [key(), key()];
const secret = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"CANARY"') };

describe('payload keys', () => {
  it('come from a variable or a file, the first encrypts', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-keys-'));
    try {
      await writeFile(join(folder, 'keys'), `b:${second}\na:${first}\n`);
      const keys = await readPayloadKeys({ MILLRACE_PAYLOAD_KEYS_FILE: join(folder, 'keys') });
      assert.deepEqual([keys?.current, [...(keys?.byId.keys() ?? [])]], ['b', ['b', 'a']]);
      assert.deepEqual((await read(`a:${first},b:${second}`)).current, 'a');
      assert.equal(await readPayloadKeys({ MILLRACE_PAYLOAD_KEYS: '' }), undefined);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('that are wrong are refused with what to do, and without the key', async () => {
    const short = randomBytes(16).toString('base64');
    const cases: [Record<string, string>, RegExp][] = [
      [{ MILLRACE_PAYLOAD_KEYS: first }, /entry 1 must be id:key.*make one with/],
      [{ MILLRACE_PAYLOAD_KEYS: `a:${short}` }, /key a must be 32 bytes in base64, and it has 16 bytes/],
      [{ MILLRACE_PAYLOAD_KEYS: 'a:pass word' }, /key a must be 32 bytes/],
      [{ MILLRACE_PAYLOAD_KEYS: 'a:p@ssword' }, /key a must be 32 bytes in base64, and it isn't base64/],
      [{ MILLRACE_PAYLOAD_KEYS: `a:${first},a:${second}` }, /the id a is there twice/],
      [{ MILLRACE_PAYLOAD_KEYS: ',' }, /has no key/],
      [{ MILLRACE_PAYLOAD_KEYS_FILE: '/no/such/file' }, /MILLRACE_PAYLOAD_KEYS_FILE: \/no\/such\/file can't be read/],
      [{ MILLRACE_PAYLOAD_KEYS: `a:${first}`, MILLRACE_PAYLOAD_KEYS_FILE: '/keys' }, /both set/],
    ];
    for (const [environment, sentence] of cases) {
      await assert.rejects(readPayloadKeys(environment), (error: Error) => {
        assert.match(error.message, sentence);
        for (const text of [first, second, short, 'ssword']) assert.ok(!error.message.includes(text), error.message);
        return true;
      });
    }
  });
});

describe('the payload codec', () => {
  it('encrypts with the current key and decrypts with any', async () => {
    const old = payloadCodec(await read(`a:${first}`));
    const rotated = payloadCodec(await read(`b:${second},a:${first}`));
    const [before] = await old.encode([secret]);
    const [after] = await rotated.encode([secret]);
    assert.ok(before && after);
    assert.equal(Buffer.from(after.metadata?.['encryption-key-id'] ?? []).toString(), 'b');
    for (const payload of await rotated.decode([before, after])) assert.equal(Buffer.from(payload.data ?? []).toString(), '"CANARY"');
    assert.ok(!Buffer.from(after.data ?? []).includes('CANARY'));
  });

  it('leaves alone what was stored in clear before there was a key', async () => {
    assert.deepEqual(await payloadCodec(await read(`a:${first}`)).decode([secret]), [secret]);
  });

  it('says which key is missing, or that it is another one, or that there is none', async () => {
    const encoded = await payloadCodec(await read(`a:${first}`)).encode([secret]);
    await assert.rejects(payloadCodec(await read(`b:${first}`)).decode(encoded), /encrypted with key a, .*lacks \(it has b\)/);
    await assert.rejects(payloadCodec(await read(`a:${second}`)).decode(encoded), /key a of MILLRACE_PAYLOAD_KEYS is not the key/);
    await assert.rejects(payloadCodec(undefined).decode(encoded), /encrypted with key a, .*lacks \(it is not set\)/);
  });
});

describe('a run with payload keys', function () {
  this.timeout(240_000);
  let keys: PayloadKeys;
  let project: TestProject;
  let source: string;
  let warehouse: string;
  const pipelineOf = (name: string, more: Partial<PipelineDefinition['streams'][number]>): PipelineDefinition =>
    project.pipeline(name, { from: source, to: warehouse, schema: name, streams: [{ stream: 'orders', ...more }] });

  before(async () => {
    keys = await read(`a:${first}`);
    [source, warehouse, project] = await Promise.all([
      createDatabase('source'),
      createDatabase('warehouse'),
      openProject('codec', { keys }),
    ]);
    await sql(source, `CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders VALUES (1, 'CANARY'), (2, 'other')`);
  });

  after(async () => {
    await project[Symbol.asyncDispose]();
    await Promise.all([dropDatabase(source), dropDatabase(warehouse)]);
  });

  /** All that the server stores of a workflow: history, memo, summary, search attributes. */
  const stored = async (workflowId: string): Promise<Buffer> => {
    const { workflowService: service } = project.client;
    const execution = { workflowId };
    const { history } = await service.getWorkflowExecutionHistory({ namespace: 'default', execution });
    const description = await service.describeWorkflowExecution({ namespace: 'default', execution });
    return Buffer.concat([
      proto.temporal.api.history.v1.History.encode(history ?? {}).finish(),
      proto.temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse.encode(description).finish(),
    ]);
  };

  it('works, and Temporal stores neither definition nor summaries nor rows in clear', async () => {
    const pipeline = pipelineOf('good', { transform: [{ expect: { note: { in: ['other', 'CANARY-rule'] } } }] });
    const outcome = await project.run(pipeline);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    assert.deepEqual([outcome.report?.streams[0]?.loaded, outcome.report?.streams[0]?.rejected], [1, 1]);
    for (const id of ['good', 'good/orders']) {
      const bytes = await stored(`${project.project}/${id}`);
      for (const text of ['CANARY', source, '"format"', 'loadId', 'warehouse.good', 'good.orders', 'succeeded']) {
        assert.ok(!bytes.includes(text), `${id}: ${text} is stored in clear`);
      }
      assert.ok(bytes.includes('binary/encrypted'));
    }
  });

  it('fails with the message for those who have the key, and none for the server', async () => {
    const outcome = await project.run(pipelineOf('bad', { mode: 'merge', key: ['id'], cursor: 'canary_column' }));
    assert.ok(!outcome.ok);
    assert.match(outcome.message, /canary_column/);
    for (const id of ['bad', 'bad/orders']) {
      const bytes = await stored(`${project.project}/${id}`);
      assert.ok(bytes.includes('Encoded failure'), id);
      assert.ok(!bytes.includes('canary_column'), `${id}: the failure's message is stored in clear`);
      assert.ok(!bytes.includes('workflows/stream'), `${id}: the failure's stack is stored in clear`);
    }
  });

  it('is read after the key was rotated, and refused with a sentence by a client with another key', async () => {
    const withKeys = async (text: string): Promise<Client> =>
      new Client({ connection: project.client.connection, dataConverter: dataConverterOf(await read(text)) });
    const run = { workflowId: `${project.project}/good`, runId: '' };
    const outcome = await runOutcome(await withKeys(`b:${second},a:${first}`), { kind: 'pipeline' }, run);
    assert.ok(outcome.ok);
    await assert.rejects(runOutcome(await withKeys(`a:${second}`), { kind: 'pipeline' }, run), /is not the key that it was encrypted with/);
  });

  it('waits for a worker with the key, and says so', async () => {
    const withOther = new Client({ connection: project.client.connection, dataConverter: dataConverterOf(await read(`c:${second}`)) });
    const definition = pipelineOf('foreign', {});
    const { workflowId } = await startRun(withOther, { kind: 'pipeline', definition }, { fullRefresh: false }, 'h');
    try {
      await until(async () => {
        const [trouble] = await troublesOf(withOther, workflowId);
        return trouble?.step === 'workflow' && /encrypted with key \w+, which MILLRACE_PAYLOAD_KEYS lacks/.test(trouble.message);
      }, 'trouble that names the key');
    } finally {
      await withOther.workflow.getHandle(workflowId).terminate();
    }
  });

  it('is scheduled encrypted, again with a new key by apply; schedules of others do not matter', async () => {
    const schedule = { when: { every: 3_600_000 }, timezone: 'UTC', jitter: 0, catchUp: 60_000 };
    const definition = pipelineOf('planned', { transform: [{ filter: "note = 'CANARY'" }] });
    const scheduled = [{ runnable: { kind: 'pipeline' as const, definition }, schedule, hash: 'h1' }];
    try {
      assert.deepEqual(await applySchedules(project.client, project.project, scheduled), [{ name: 'planned', change: 'created' }]);
      assert.deepEqual(await applySchedules(project.client, project.project, scheduled), [{ name: 'planned', change: 'unchanged' }]);
      const scheduleId = `${project.project}/planned`;
      const description = await project.client.workflowService.describeSchedule({ namespace: 'default', scheduleId });
      const bytes = proto.temporal.api.workflowservice.v1.DescribeScheduleResponse.encode(description).finish();
      assert.ok(!Buffer.from(bytes).includes('CANARY'));
      const rotated = new Client({
        connection: project.client.connection,
        dataConverter: dataConverterOf(await read(`b:${second},a:${first}`)),
      });
      assert.deepEqual(await applySchedules(rotated, project.project, scheduled), [{ name: 'planned', change: 'updated' }]);
      const successor = new Client({ connection: project.client.connection, dataConverter: dataConverterOf(await read(`b:${second}`)) });
      assert.deepEqual(await applySchedules(successor, project.project, scheduled), [{ name: 'planned', change: 'unchanged' }]);
      assert.deepEqual(await applySchedules(successor, project.project, [], { prune: true }), [{ name: 'planned', change: 'pruned' }]);
      const stranger = new Client({ connection: project.client.connection });
      assert.deepEqual(await applySchedules(stranger, `${project.project}-other`, []), []);
    } finally {
      await applySchedules(project.client, project.project, [], { prune: true });
    }
  });
});
