import assert from 'node:assert/strict';
import { filesProject, problems } from './project-kit.ts';

const inPipeline = (setting: string): string => filesProject('{}').replace('    streams:', `    ${setting}\n    streams:`);
const inStream = (setting: string): string => filesProject(setting);
const inConnection = (setting: string): string => filesProject('{}').replace('pipelines:', `  extra: { ${setting} }\npipelines:`);
const inFile = (setting: string): string => `${filesProject('{}')}${setting}\n`;
const inApi = (setting: string): string =>
  inFile(`apis: { a: { dataset: films.movies, key: id, roles: { r: { fields: all } }, ${setting} } }`);
const inSync = (setting: string): string =>
  inFile(
    `models: { m: { sql: "select 1 AS id, 2 AS n", warehouse: warehouse, key: id } }\nsyncs: { s: { from: m, to: shop.public.target, mode: upsert, map: { n: n }, ${setting} } }`,
  );

/** Settings that take a text with a unit, and are given a bare number, or one in quotes as YAML would have it. */
const settings: readonly (readonly [make: (setting: string) => string, setting: string])[] = [
  [inPipeline, 'heartbeat_timeout: #'],
  [inPipeline, 'expect_every: #'],
  [inPipeline, 'partition_size: #'],
  [inPipeline, 'retention: { rejections: # }'],
  [inPipeline, 'schedule: #'],
  [inPipeline, 'schedule: { every: # }'],
  [inPipeline, 'schedule: { every: 1h, jitter: # }'],
  [inPipeline, 'alerts: [{ to: ops, on: [rejected], rejected: # }]'],
  [inStream, 'guards: { deletes: # }'],
  [inApi, 'cache: { ttl: # }'],
  [inApi, 'rate: #'],
  [inApi, 'rate: { r: # }'],
  [inSync, 'schedule: #'],
  [inSync, 'schedule: { continuous: true, min_interval: # }'],
  [inFile, 'gateway: { timeout: # }'],
  [inFile, 'gateway: { audit: # }'],
  [inFile, 'gateway: { body: # }'],
  [inFile, 'gateway: { cache_size: # }'],
  [inFile, 'gateway: { rate: { role: # } }'],
  [inFile, 'gateway: { listen: # }'],
  [inConnection, 'type: http, url: "https://example.org", rate: #'],
  [inConnection, 'type: http, url: "https://example.org", request_timeout: #'],
];

const given = ['60', '"60"'];

describe('project file: remedies', () => {
  it('are accepted as they stand, where a number has no unit', async () => {
    for (const [make, setting] of settings) {
      for (const value of given) {
        const name = setting.replace('#', value);
        const [problem = '', ...more] = await problems(make(name));
        assert.deepEqual(more, [], name);
        const remedies = /: write (.+)$/.exec(problem)?.[1]?.split(' or ') ?? [];
        assert.ok(remedies.length > 0, `${name}: ${problem}`);
        for (const remedy of remedies) assert.deepEqual(await problems(make(setting.replace('#', remedy))), [], `${name}: ${remedy}`);
      }
    }
  });

  it('give an example and never quotes, where a value is nothing of the kind', async () => {
    for (const [make, setting] of settings) {
      for (const value of ['true', '-5', '~', '[]']) {
        const name = setting.replace('#', value);
        const [problem = ''] = await problems(make(name));
        assert.match(problem, / must be ".*| such as | as in | from "0%"/, `${name}: ${problem}`);
        assert.doesNotMatch(problem, /does not read|: write/, name);
      }
    }
  });
});
