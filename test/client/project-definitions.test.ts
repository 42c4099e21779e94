import assert from 'node:assert/strict';
import { join } from 'node:path';
import { toDefinitions } from '../../client/project/definitions.ts';
import { definitionHash } from '../../client/project/hash.ts';
import { loadProject } from '../../client/project/load.ts';
import type { z } from 'zod';
import { asJsonSchema } from '../../docs/json-schema.ts';
import { parallelSettings, pipelineSettings, retentionSettings } from '../../schema/project.ts';
import { guards, streamSettings } from '../../schema/project-stream.ts';
import { modelDefinition, pipelineDefinition, type StreamDefinition } from '../../schema/definition.ts';
import { connections, filesProject, folderWith, load, tableProject } from './project-kit.ts';

async function streamsOf(text: string): Promise<readonly StreamDefinition[]> {
  const [pipeline] = toDefinitions(await load(text)).pipelines.values();
  return pipeline?.definition.streams ?? [];
}

const example = `${connections}
defaults: { contract: evolve, max_rejected: 5%, alerts: ops, expect_every: 6 hours }
pipelines:
  shop:
    from: shop
    to: warehouse.shop
    schedule: every 15 minutes
    streams:
      sales.*: { mode: replace, except: [sales.audit] }
      sales.orders: { mode: merge, key: id, cursor: updated_at, look_back: 10 minutes, deletes: mark, reconcile: daily, max_rejected: 3 }
  films:
    from: drops
    to: warehouse.films
    schedule: { cron: "0 5 * * 1-5", timezone: Europe/Berlin, jitter: 5 minutes, catch_up: 2 hours }
    parallel: { streams: 4 }
    streams:
      "movies-*.csv":
        into: movies
        contract: { columns: freeze }
        read: { delimiter: ";" }
        transform:
          - cast: { budget: "decimal(14,2)" }
models:
  report: { sql: select 1, build: view, into: finance.report, after: [reconciliation] }
  reconciliation: { sql: { file: models/reconciliation.sql }, build: table, into: finance.reconciliation, after: [shop, films], key: id }
`;
const files = { 'models/reconciliation.sql': 'SELECT 2 AS id\n' };

/** The defaults that a schema documents. */
function documented(schema: z.ZodType): Readonly<Record<string, unknown>> {
  const properties = Object.entries(asJsonSchema(schema).properties ?? {});
  return Object.fromEntries(properties.filter(([, one]) => one.default !== undefined).map(([name, one]) => [name, one.default]));
}

describe('project file: definitions', () => {
  it('are complete, and what the workflows validate', async () => {
    const { pipelines, models, project } = toDefinitions(await load(example, files));
    assert.equal(project, 'acme');
    for (const { definition } of pipelines.values()) assert.deepEqual(pipelineDefinition.parse(definition), definition);
    for (const { definition } of models.values()) assert.deepEqual(modelDefinition.parse(definition), definition);
  });

  it('have every default filled in', async () => {
    const [stream] = await streamsOf(tableProject('{}'));
    assert.deepEqual(stream, {
      stream: 'orders',
      except: [],
      mode: 'replace',
      key: [],
      nullCursor: 'include',
      transform: [],
      contract: { columns: 'evolve', types: 'evolve' },
      deletes: 'keep',
      maxDeleted: 1,
      onFailure: 'reject',
      maxRejected: { share: 0.5 },
      protect: [],
      adopt: false,
      read: {},
    });
  });

  it('are the same with the documented defaults written out', async () => {
    const { null_cursor: nullCursor, ...stream } = documented(streamSettings);
    assert.equal(nullCursor, 'include');
    const written = JSON.stringify({
      project: 'acme',
      connections: { a: { type: 'postgres', url: '${env:A}' } },
      pipelines: {
        p: {
          from: 'a',
          to: 'a.s',
          streams: { t: { ...stream, guards: documented(guards) } },
          ...documented(pipelineSettings),
          parallel: documented(parallelSettings),
          retention: documented(retentionSettings),
        },
      },
    });
    const plain =
      'project: acme\nconnections: { a: { type: postgres, url: "${env:A}" } }\npipelines: { p: { from: a, to: a.s, streams: { t: {} } } }';
    assert.ok(Object.keys(stream).length > 5);
    assert.deepEqual([...toDefinitions(await load(written)).pipelines], [...toDefinitions(await load(plain)).pipelines]);
  });

  it('take a stream over defaults over what is built in', async () => {
    const { pipelines } = toDefinitions(await load(example, files));
    const [all, orders] = pipelines.get('shop')?.definition.streams ?? [];
    assert.ok(all && orders);
    assert.deepEqual([all.maxRejected, orders.maxRejected], [{ share: 0.05 }, { rows: 3 }]);
    assert.deepEqual([orders.lookBack, orders.reconcileEvery, orders.deletes, orders.key], ['10 minutes', 86_400_000, 'mark', ['id']]);
    const films = pipelines.get('films')?.definition;
    assert.ok(films);
    assert.deepEqual([films.parallelStreams, films.parallelPartitions, films.expectEvery], [4, 2, 21_600_000]);
    assert.deepEqual(
      films.streams.map(({ contract }) => contract),
      [{ columns: 'freeze', types: 'evolve' }],
    );
    assert.deepEqual(
      films.alerts.map(({ to, template }) => [to.name, template]),
      [['ops', 'json']],
    );
  });

  it('leave out of a default what does not apply to a stream', async () => {
    const defaults = 'defaults: { look_back: 1 hour, null_cursor: fail, deletes: mark, reconcile: daily }\npipelines:';
    const [stream] = await streamsOf(tableProject('mode: replace').replace('pipelines:', defaults));
    assert.deepEqual(
      [stream?.lookBack, stream?.nullCursor, stream?.deletes, stream?.reconcileEvery],
      [undefined, 'include', 'keep', undefined],
    );
  });

  it('leave a stream that has settings of its own out of the patterns that match it', async () => {
    const { pipelines } = toDefinitions(await load(example, files));
    assert.deepEqual(pipelines.get('shop')?.definition.streams[0]?.except, ['sales.audit', 'sales.orders']);
  });

  it('have paths absolute to the folder of the file, and secrets as references', async () => {
    const text = example.replace('${env:SHOP_URL}', '${file:secrets/shop}').replace('path: ./data', 'path: "${env:DROPS:-./data}"');
    await using folder = await folderWith({ 'millrace.yaml': text, ...files });
    const found = toDefinitions(await loadProject({ cwd: join(folder.path, 'models') })).connections;
    assert.equal(found.get('shop')?.settings['url'], `\${file:${folder.path}/secrets/shop}`);
    assert.equal(found.get('drops')?.settings['path'], `\${env:DROPS:-${folder.path}/data}`);
    assert.equal(found.get('warehouse')?.settings['url'], '${env:WAREHOUSE_URL}');
    const plain = toDefinitions(await loadProject({ file: join(folder.path, 'millrace.yaml') })).connections;
    assert.deepEqual(plain, found);
  });

  it('carry the models that follow a pipeline, each after those it waits for', async () => {
    const { pipelines, models } = toDefinitions(await load(example, files));
    assert.deepEqual(
      pipelines.get('films')?.definition.models.map(({ name }) => name),
      ['reconciliation', 'report'],
    );
    const { sql, into, key } = models.get('reconciliation')?.definition ?? {};
    assert.deepEqual({ sql, into, key }, { sql: 'SELECT 2 AS id\n', into: { schema: 'finance', table: 'reconciliation' }, key: ['id'] });
  });

  it('come with their schedules', async () => {
    const { pipelines, models } = toDefinitions(await load(example, files));
    assert.deepEqual(pipelines.get('shop')?.schedule, { when: { every: 900_000 }, timezone: 'UTC', jitter: 0, catchUp: 86_400_000 });
    assert.deepEqual(pipelines.get('films')?.schedule, {
      when: { cron: '0 5 * * 1-5' },
      timezone: 'Europe/Berlin',
      jitter: 300_000,
      catchUp: 7_200_000,
    });
    assert.equal(models.get('report')?.schedule, undefined);
  });

  it('have a hash that is the same for the same meaning and another for another', async () => {
    assert.match(definitionHash({ a: 1, b: [{ c: 2, d: 3 }] }), /^[0-9a-f]{16}$/);
    assert.equal(definitionHash({ a: 1, b: [{ c: 2, d: 3 }] }), definitionHash({ b: [{ d: 3, c: 2 }], a: 1 }));
    await using folder = await folderWith({ 'millrace.yaml': example, 'other.yaml': example.replace('5%', '6%'), ...files });
    const hashOf = async (file: string) => toDefinitions(await loadProject({ cwd: folder.path, file })).pipelines.get('shop')?.hash;
    assert.equal(await hashOf('millrace.yaml'), await hashOf('millrace.yaml'));
    assert.notEqual(await hashOf('millrace.yaml'), await hashOf('other.yaml'));
  });

  it('of events let a step that shows nothing be tried again sooner, unless the file says when', async () => {
    const rest = `  clicks: { type: ingest, schema: ./event.json, key: event_id }
pipelines:
  films: { from: drops, to: warehouse.films, streams: { movies.csv: {} } }
  clicks: { from: clicks, to: warehouse.events, streams: { clicks: { mode: append } } }
`;
    const beats = async (defaults = '') =>
      [...toDefinitions(await load(`${connections}\n${rest}${defaults}`)).pipelines.values()].map(
        ({ definition }) => definition.heartbeatTimeout,
      );
    assert.deepEqual(
      [await beats(), await beats('defaults: { heartbeat_timeout: 30s }\n')],
      [
        [60_000, 20_000],
        [30_000, 30_000],
      ],
    );
  });

  it('that are too large to travel are refused', async () => {
    const loaded = await load(filesProject(`transform:\n  - sql: "select '${'x'.repeat(300_000)}' from input"`));
    assert.throws(() => toDefinitions(loaded), /The definition of films has \d+ bytes; at most 262144 can travel/);
  });
});
