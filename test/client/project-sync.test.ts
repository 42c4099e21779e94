import assert from 'node:assert/strict';
import { toDefinitions } from '../../client/project/definitions.ts';
import { asJsonSchema } from '../../docs/json-schema.ts';
import { syncGuards, syncRetention, syncSettings } from '../../schema/project-sync.ts';
import { syncDefinition } from '../../schema/sync-definition.ts';
import type { z } from 'zod';
import { load, problems } from './project-kit.ts';
import { syncOf, syncProject } from './sync-kit.ts';

async function only(text: string): Promise<string> {
  const found = await problems(text);
  assert.equal(found.length, 1, found.join('\n'));
  return found[0] ?? '';
}

/** The defaults that a schema documents. */
function documented(schema: z.ZodType): Readonly<Record<string, unknown>> {
  const properties = Object.entries(asJsonSchema(schema).properties ?? {});
  return Object.fromEntries(properties.filter(([, one]) => one.default !== undefined).map(([name, one]) => [name, one.default]));
}

const built = '{ sql: select 1 AS email, warehouse: warehouse, key: email, build: table, into: "marts.he\\"alth", after: [films] }';
const films = `pipelines:
  films: { from: drops, to: warehouse.films, streams: { movies.csv: {} } }
`;

describe('project file: syncs', () => {
  it('have every default filled in, and are what the workflows validate', async () => {
    const definition = await syncOf(syncProject('map: [plan]'));
    assert.deepEqual(syncDefinition.parse(definition), definition);
    const { warehouse, state, to, ...rest } = definition;
    assert.deepEqual([warehouse.name, state.name, to.name], ['warehouse', 'warehouse', 'shop']);
    assert.deepEqual(rest, {
      format: 1,
      project: 'acme',
      name: 'out',
      model: { name: 'health', sql: 'select 1 AS email', key: ['email'], after: [] },
      object: 'public.customers',
      match: [{ column: 'email', field: 'email' }],
      map: [{ column: 'plan', field: 'plan', whenNull: 'clear' }],
      mode: 'upsert',
      deletes: 'delete',
      maxDeleted: 0.5,
      maxRejected: { share: 0.5 },
      whenUnknown: 'at-most-once',
      mappingChange: 'ask',
      write: {},
      alerts: [],
      retention: { log: 2_592_000_000, runs: 7_776_000_000 },
      minInterval: 15_000,
      heartbeatTimeout: 60_000,
    });
  });

  it('are the same with the documented defaults written out', async () => {
    const { deletes, ...defaults } = documented(syncSettings);
    assert.equal(deletes, 'delete');
    const written = { ...defaults, guards: documented(syncGuards), retention: documented(syncRetention) };
    assert.ok(Object.keys(written).length > 6);
    const lines = Object.entries(written).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
    assert.deepEqual(await syncOf(syncProject(['map: [plan]', ...lines].join('\n'))), await syncOf(syncProject('map: [plan]')));
  });

  it('take columns to fields, with what a NULL does', async () => {
    const { match, map } = await syncOf(
      syncProject('match: { email: Email__c }\nmap: { score: Score, risk: { to: Risk, when_null: keep }, plan: { to: Plan } }'),
    );
    assert.deepEqual(match, [{ column: 'email', field: 'Email__c' }]);
    assert.deepEqual(map, [
      { column: 'score', field: 'Score', whenNull: 'clear' },
      { column: 'risk', field: 'Risk', whenNull: 'keep' },
      { column: 'plan', field: 'Plan', whenNull: 'clear' },
    ]);
  });

  it('read a built table as it stands, and wait until it was built', async () => {
    const { model } = await syncOf(films + syncProject('map: [plan]', built));
    assert.deepEqual([model.sql, model.after], ['SELECT * FROM "marts"."he""alth"', ['films', 'health']]);
  });

  it('continuous ones look for changes at their least interval', async () => {
    const schedules = async (settings: string) =>
      toDefinitions(await load(syncProject(`map: [plan]\nschedule: ${settings}`))).syncs.get('out');
    const { schedule, definition } = (await schedules('continuous')) ?? {};
    assert.deepEqual(schedule, { when: { every: 15_000 }, timezone: 'UTC', jitter: 0, catchUp: 60_000, continuous: true });
    assert.equal(definition?.minInterval, 15_000);
    const slower = await schedules('{ continuous: true, min_interval: 2 minutes }');
    assert.deepEqual([slower?.schedule?.when, slower?.definition.minInterval], [{ every: 120_000 }, 120_000]);
    assert.deepEqual((await schedules('every 15 minutes'))?.schedule, {
      when: { every: 900_000 },
      timezone: 'UTC',
      jitter: 0,
      catchUp: 86_400_000,
    });
  });

  it('take alerts from defaults, and one alert without a list', async () => {
    const defaults = 'defaults: { alerts: ops, heartbeat_timeout: 90s }\n';
    const inherited = await syncOf(defaults + syncProject('map: [plan]'));
    assert.deepEqual([inherited.alerts.map(({ to }) => to.name), inherited.heartbeatTimeout], [['ops'], 90_000]);
    for (const share of ['> 2%', '2%', '>2 %']) {
      const { alerts } = await syncOf(syncProject(`map: [plan]\nalerts: { rejected: "${share}", to: ops }`));
      assert.deepEqual(
        alerts.map(({ to, rejectedShare }) => [to.name, rejectedShare]),
        [['ops', 0.02]],
      );
    }
  });

  it('may have their books in another database', async () => {
    const { state, warehouse } = await syncOf(syncProject('map: [plan]\nstate: { connection: shop }'));
    assert.deepEqual([state.name, warehouse.name], ['shop', 'warehouse']);
  });

  it('have another hash when their schedule or model changes', async () => {
    const hash = async (text: string) => toDefinitions(await load(text)).syncs.get('out')?.hash;
    const plain = syncProject('map: [plan]');
    assert.equal(await hash(plain), await hash(plain));
    assert.notEqual(await hash(plain), await hash(syncProject('map: [plan]\nschedule: continuous')));
    assert.notEqual(await hash(plain), await hash(plain.replace('select 1 AS email', 'select 2 AS email')));
  });
});

describe('project file: errors of syncs', () => {
  it('a model must be there, and have a key', async () => {
    assert.match(
      await only(syncProject('map: [plan]').replace('from: health', 'from: helth')),
      /millrace\.yaml:\d+:11: syncs\.out\.from names "helth", which is no model\. Did you mean "health"\?/,
    );
    assert.match(
      await only(syncProject('map: [plan]', '{ sql: select 1, warehouse: warehouse }')),
      /syncs\.out\.from names the model "health", which has no key: write there "key:"/,
    );
    assert.match(
      await only(films + syncProject('map: [plan]').replace('from: health', 'from: films')),
      /names "films", a pipeline; a sync reads a model/,
    );
  });

  it('a destination is a connection that can be written, and an object', async () => {
    assert.match(
      await only(syncProject('map: [plan]').replace('to: shop.', 'to: shp.')),
      /to names the connection "shp".*Did you mean "shop"/,
    );
    assert.match(
      await only(syncProject('map: [plan]').replace('to: shop.', 'to: ops.')),
      /a webhook connection, which cannot be the destination of a sync/,
    );
    assert.match(
      await only(syncProject('map: [plan]').replace('shop.public.customers', 'shop')),
      /to must be a connection and what it is to write there/,
    );
  });

  it('the books are in a postgres database', async () => {
    assert.match(
      await only(syncProject('map: [plan]\nstate: { connection: drops }')),
      /state\.connection names "drops", a files connection; the books/,
    );
    assert.match(await only(syncProject('map: [plan]\nstate: { connection: shp }')), /names the connection "shp", which is not there/);
  });

  it('a field is matched and written by one column', async () => {
    assert.match(await only(syncProject('map: { a: Plan, b: Plan }')), /map\.b writes the field "Plan" a second time/);
    assert.match(await only(syncProject('map: [a, a]')), /map\[1\] writes the field "a" a second time/);
    assert.match(await only(syncProject('map: { a: email }')), /map\.a writes the field "email", which finds the object/);
    assert.match(await only(syncProject('match: { a: id, b: id }\nmap: [c]')), /match\.b matches the field "id" a second time/);
    assert.match(await only(syncProject('match: {}\nmap: [c]')), /match must name at least one column/);
  });

  it('settings that do not go together are refused with the reason', async () => {
    assert.match(await only(syncProject('map: [a]\ndeletes: archive')), /deletes goes with mode mirror: mode upsert leaves alone/);
    assert.match(await only(syncProject('mode: update')), /syncs\.out needs "map": mode update has nothing to write/);
    assert.match(await only(syncProject('mode: mirror\ndeletes: clear')), /deletes empties the mapped fields/);
    assert.match(
      await only(syncProject('map: [a]\nalerts: { to: ops, on: [late] }')),
      /alerts tells when the sync is late: expect_every must say/,
    );
    assert.match(
      await only(syncProject('map: [a]\nalerts: { to: ops, on: [failed], rejected: 2% }')),
      /alerts\.on leaves out what "rejected" is for/,
    );
    assert.match(
      await only(syncProject('map: [a]\nalerts: { to: ops, rejected: "> 2" }')),
      /alerts\.rejected must be a percentage such as "> 2%"/,
    );
    assert.match(await only(syncProject('map: [a]\nalerts: { to: opss }')), /alerts names the connection "opss".*Did you mean "ops"/);
  });

  it('only syncs are continuous', async () => {
    const pipeline = films.replace('streams:', 'schedule: continuous, streams:');
    assert.match(await only(pipeline + syncProject('map: [a]')), /films\.schedule is "continuous", which only syncs can be/);
    assert.match(await only(syncProject('map: [a]\nschedule: continuously')), /schedule must be "continuous", "every 15 minutes" or/);
    assert.match(
      await only(syncProject('map: [a]\nschedule: { continuous: true, min_interval: 1 ms }')),
      /min_interval must be at least "1s"/,
    );
  });

  it('pipelines, models and syncs share their names', async () => {
    const text = syncProject('map: [a]');
    assert.match(await only(text.replace('  out:', '  health:')), /syncs\.health is the name of a model too/);
    assert.match(await only(films + text.replace('  out:', '  films:')), /syncs\.films is the name of a pipeline too/);
  });

  it('options of the object are those of its kind', async () => {
    assert.match(await only(syncProject('map: [a]\nwrite: { nonsense: 1 }')), /syncs\.out\.write\.nonsense is not known/);
  });

  it('a typo is named with the nearest known name, and what YAML reads otherwise is said', async () => {
    assert.match(await only(syncProject('mapp: [a]\nmap: [b]')), /syncs\.out\.mapp is not known\. Did you mean "map"/);
    assert.match(await only(syncProject('map: { a: { to: b, when_nul: keep } }')), /when_nul is not known\. Did you mean "when_null"/);
    assert.match(await only(syncProject('mode: mirrored\nmap: [a]')), /mode must be .*, not "mirrored"/);
    assert.match(await only(syncProject('map: { a: true }')), /map\.a .*write "true"/);
    const model = '{ sql: SELECT email, plan, score FROM t, warehouse: warehouse, key: email }';
    assert.match(
      await only(syncProject('map: [plan]', model)),
      /A comma ends a value .*: write "SELECT email, plan, score FROM t" in quotes/,
    );
    assert.match(await only(syncProject('map: { a: 0123 }')), /YAML reads 0123 as the number/);
  });
});
