import assert from 'node:assert/strict';
import { connections, filesProject, problems, tableProject } from './project-kit.ts';

async function only(text: string, files?: Readonly<Record<string, string>>): Promise<string> {
  const found = await problems(text, files);
  assert.equal(found.length, 1, found.join('\n'));
  return found[0] ?? '';
}

describe('project file: errors', () => {
  it('a typo is named with its line, column and the nearest known name', async () => {
    assert.equal(
      await only(filesProject('mode: replace\ntransfrom: []')),
      'millrace.yaml:14:9: pipelines.films.streams["movies.csv"].transfrom is not known. Did you mean "transform"?',
    );
    assert.match(
      await only(filesProject('transform: [{ csat: { a: date } }]')),
      /transform\[0\]\.csat is not known\. Did you mean "cast"\?/,
    );
    assert.match(await only(filesProject('mode: replcae')), /mode must be .*, not "replcae"\. Did you mean "replace"\?/);
    assert.match(await only(`${connections}\npiplines: {}\n`), /piplines is not known\. Did you mean "pipelines"\?/);
    assert.match(await only(filesProject('mode: replace').replace('type: files', 'type: file')), /type must be .*Did you mean "files"\?/);
    assert.match(
      await only(filesProject('transform: [{ expect: { a: { mni: 1 } } }]')),
      /expect\.a\.mni is not known\. Did you mean "min"/,
    );
  });

  it('everything that is wrong is said at once, in the order of the file', async () => {
    const text = filesProject('mode: replcae\ninot: movies\nmax_rejected: 5 percent').replace('from: drops', 'form: drops');
    const found = await problems(text);
    assert.deepEqual(
      found.map((line) => / (pipelines\S+)/.exec(line)?.[1]),
      [
        'pipelines.films.from',
        'pipelines.films.form',
        'pipelines.films.streams["movies.csv"].mode',
        'pipelines.films.streams["movies.csv"].inot',
        'pipelines.films.streams["movies.csv"].max_rejected',
      ],
    );
  });

  it('a step with two names says that each is an entry of its own', async () => {
    assert.match(
      await only(filesProject('transform:\n  - trim: all\n    nullif: [a]')),
      /"trim" and "nullif", which cannot stand together/,
    );
  });

  it('an unknown connection is named with the nearest', async () => {
    assert.match(await only(filesProject('{}').replace('from: drops', 'from: drop')), /names the connection "drop".*Did you mean "drops"/);
    assert.match(await only(filesProject('{}').replace('to: warehouse', 'to: warehose')), /to names the connection "warehose"/);
    assert.match(await only(filesProject('{}').replace('from: drops', 'from: constructor')), /names the connection "constructor"/);
  });

  it('a pipeline loads postgres and does not read a webhook', async () => {
    assert.match(await only(filesProject('{}').replace('to: warehouse.', 'to: drops.')), /a warehouse is a postgres connection/);
    assert.match(await only(filesProject('{}').replace('from: drops', 'from: ops')), /a webhook connection, which cannot be read from/);
    assert.match(await only(filesProject('{}').replace('to: warehouse.films', 'to: warehouse')), /must be a connection and a schema/);
  });

  it('pipelines and models share their names', async () => {
    const model = 'models:\n  films: { sql: select 1 }\n';
    assert.match(await only(filesProject('{}') + model), /models\.films is the name of a pipeline too/);
  });

  it('two streams cannot load one table', async () => {
    assert.match(
      await only(`${filesProject('into: a')}      b.csv: { into: a }\n`),
      /"b\.csv"\]\.into is loaded by the stream "movies\.csv" of films/,
    );
  });

  it('a literal secret is refused with the remedy, and is not in the message', async () => {
    for (const url of [
      'postgres://me:hunter2@host/db',
      'postgres://me@host/db?password=hunter2',
      'postgres://me:hunter2${env:X}@host/db',
      'postgres://me:${env:PW:-hunter2}@host/db',
      'postgres://${env:ME}:hunter2@host/db',
      '${env:URL:-postgres://me:hunter2@host/db}',
      'host=x password=hunter2',
    ]) {
      const message = await only(filesProject('{}').replace('${env:SHOP_URL}', url));
      assert.match(
        message,
        /connections\.shop\.url holds a secret\. Put it into \.env as SHOP_URL=…, and write "\$\{env:SHOP_URL\}" here\./,
        url,
      );
      assert.doesNotMatch(message, /hunter2/);
    }
    const broken = (await problems(`${filesProject('{}')}other: postgres://me:hunter2@host: 1\n`)).join('\n');
    assert.match(broken, /must be in quotes/);
    assert.doesNotMatch(broken, /hunter2/);
    const hook = 'https://hooks.slack.com/services/T0/B0/hunter2';
    assert.match(await only(filesProject('{}').replace('${env:OPS_URL:-}', hook)), /connections\.ops\.url holds a secret/);
  });

  it('a password by reference, or none, is fine', async () => {
    for (const url of [
      'postgres://me:${env:PW}@host/db',
      'postgres://me@host/db',
      'postgres://${env:ME}:${file:pw}@host/db?sslmode=require',
    ]) {
      assert.deepEqual(await problems(filesProject('{}').replace('${env:SHOP_URL}', url)), [], url);
    }
  });

  it('a reference of another form, or outside of connections, is refused', async () => {
    assert.match(await only(filesProject('{}').replace('${env:SHOP_URL}', '${SHOP_URL}')), /write "\$\{env:NAME\}"/);
    assert.match(
      await only(filesProject('{}').replace('to: warehouse.films', 'to: "warehouse.${env:SCHEMA}"')),
      /only settings of connections/,
    );
  });

  it('settings that do not go together are refused with the reason', async () => {
    const cases: readonly (readonly [text: string, says: RegExp])[] = [
      [tableProject('cursor: updated_at'), /cursor means nothing with mode replace/],
      [tableProject('mode: append'), /needs a cursor: mode append/],
      [tableProject('mode: merge\nlook_back: 1 hour'), /look_back needs a cursor/],
      [tableProject('mode: append\ncursor: id\ndeletes: mark'), /deletes goes with merge and history/],
      [tableProject('mode: merge\ncursor: at\ndeletes: mark'), /needs reconcile, as in "reconcile: daily"/],
      [tableProject('mode: merge\nreconcile: daily'), /reconcile finds deletes of a merge with a cursor/],
      [tableProject('into: a', 'sales.*'), /into names one table, but the pattern may match many/],
      [tableProject('except: [a]'), /except goes with a pattern/],
      [tableProject('read: { delimiter: ";" }'), /read\.delimiter is not known/],
      [filesProject('read: { delimter: ";" }'), /read\.delimter is not known\. Did you mean "delimiter"\?/],
      [filesProject('mode: merge'), /needs a key: files have none/],
      [filesProject('mode: append\ncursor: at'), /cursor is for tables/],
      [filesProject('guards: { deletes: 5 }'), /guards\.deletes must be a percentage, not the number 5: write 5%$/],
      [filesProject('guards: { deletes: 0.05 }'), /guards\.deletes must be a percentage, not the number 0.05: write 5%$/],
    ];
    for (const [text, says] of cases) assert.match(await only(text), says);
  });

  it('values of another form are refused with an example: schedules, durations, sizes, alerts', async () => {
    const pipeline = (setting: string) => filesProject('{}').replace('    streams:', `    ${setting}\n    streams:`);
    const cases: readonly (readonly [setting: string, says: RegExp])[] = [
      ['schedule: every now and then', /schedule must be "every 15 minutes" or five cron fields/],
      ['schedule: "0 25 * * *"', /schedule must be/],
      ['schedule: { cron: "0 5 * *" }', /schedule\.cron must be five cron fields/],
      ['schedule: { cron: "0 5 * * *", timezone: Europe/Berln }', /timezone must be a time zone/],
      ['schedule: { cron: "0 5 * * *", timezon: UTC }', /timezon is not known\. Did you mean "timezone"/],
      ['heartbeat_timeout: 10ms', /must be at least "1s"/],
      ['partition_size: 64', /partition_size must be a size, not the number 64: write 64B or 64KB or 64MB$/],
      ['parallel: { streams: 0 }', /parallel\.streams must be at least 1/],
      ['alerts: opps', /names the connection "opps".*Did you mean "ops"/],
      ['alerts: shop', /alerts go to a webhook connection/],
      ['alerts: [{ to: ops, on: [late] }]', /expect_every must say what late means/],
      ['alerts: [{ to: ops, on: [rejected] }]', /rejected must say/],
    ];
    for (const [setting, says] of cases) assert.match(await only(pipeline(setting)), says);
  });

  it('models: a missing file, an unknown name in after, a circle, no place to be built', async () => {
    const model = (text: string) => `${filesProject('{}')}models:\n  a: ${text}\n`;
    assert.match(await only(model('{ sql: { file: a.sql } }')), /models\.a\.sql\.file names \S*a\.sql, which cannot be read/);
    assert.match(
      await only(model('{ sql: select 1, after: [flims] }').replace('select 1,', '"select 1",')),
      /names "flims".*Did you mean "films"/,
    );
    assert.match(await only(model('{ sql: select 1, build: table }')), /needs "into"/);
    assert.match(await only(model('{ sql: select 1, after: [a] }')), /comes back to the model itself/);
  });

  it('an empty file, a list and a number say what is missing', async () => {
    assert.match(await only(''), /must be a mapping, not nothing/);
    assert.match(await only('- a'), /must be a mapping, not a list/);
    assert.deepEqual((await problems('{}')).length, 2);
  });
});
