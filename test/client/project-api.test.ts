import assert from 'node:assert/strict';
import { toDefinitions } from '../../client/project/definitions.ts';
import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import type { z } from 'zod';
import { asJsonSchema } from '../../docs/json-schema.ts';
import { apiDefaults, apiSettings } from '../../schema/project-api.ts';
import { gatewaySettings } from '../../schema/project-gateway.ts';
import { connections, folderWith, load, problems } from './project-kit.ts';
import { loadProject } from '../../client/project/load.ts';

const models = `models:
  health: { sql: "select 1 AS customer_id", warehouse: warehouse, key: customer_id }
  built: { sql: "select 1 AS id", warehouse: warehouse, key: id, build: table, into: marts.built }
  keyless: { sql: "select 1", warehouse: warehouse }
`;

/** A project of one API, `customers`, with the settings given, indented by four spaces; the rest stands before it. */
function apiProject(settings: string, rest = ''): string {
  const indented = settings
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
  return `${connections}\n${models}${rest}apis:\n  customers:\n${indented}\n`;
}

const plain = 'dataset: marts.customers\nwarehouse: warehouse\nkey: customer_id\nroles: { all: { fields: all } }';
const withRoles = (roles: string): string => plain.replace('{ all: { fields: all } }', roles);

async function gatewayOf(text: string): Promise<GatewayDefinition> {
  const { gateway } = toDefinitions(await load(text));
  assert.ok(gateway);
  return gateway;
}

/** The one problem, which stands in the line that has this text, or begins with it when there are several. */
async function only(text: string, line: string): Promise<string> {
  const found = await problems(text);
  assert.equal(found.length, 1, found.join('\n'));
  const [, no, message = ''] = /^millrace\.yaml:(\d+):\d+: (.*)$/.exec(found[0] ?? '') ?? [];
  const at = text.split('\n')[Number(no) - 1] ?? '';
  assert.ok(at.includes(line), `${found[0]}\nstands in: ${at}`);
  return message;
}

const full = `${connections}
  hook: { type: webhook, url: "https://example.org/hook", secret: "\${env:HOOK_SECRET}" }
pipelines:
  shop: { from: shop, to: warehouse.marts, streams: { orders: {} } }
${models}gateway:
  listen: "[::1]:9000"
  role: reader
  tls: { cert: ./tls/cert.pem, key: /etc/key.pem }
  jwt: { issuer: "https://id.example.org", audience: acme, jwks: "keys.json", max_age: 1h }
  cors: ["https://app.example.org"]
  redis: { url: "redis://:\${env:REDIS_PASSWORD}@cache:6379" }
  mask_key: "\${file:./mask.key}"
  rate: { role: 100/s }
  timeout: 2s
  body: 64 KB
  graphql: { max_depth: 4 }
  webhooks: { crm: { to: hook, datasets: ["marts.*"] } }
  triggers: { refresh: { run: shop, verify: { kind: github, secret: "\${env:GITHUB_SECRET}" } } }
apis:
  customers:
    dataset: marts.customers
    key: customer_id
    description: Who buys.
    relations:
      orders: { dataset: marts.orders, on: customer_id }
      visits: { dataset: web.visits, on: { customer_id: visitor }, fields: [page] }
      health: { api: scores, on: [customer_id], one: true }
    roles:
      support: { fields: [customer_id, name, orders], rows: "region = \${claim:region}" }
      analyst: { fields: all, mask: { email: hash } }
    cache: { ttl: 60s }
    rate: { support: 20/s }
    limit: { max: 20 }
  orders: { dataset: marts.orders, key: [order_id, line], roles: { support: { fields: all } } }
  scores: { model: health, roles: { analyst: { fields: all } } }
  built: { model: built, roles: { anonymous: { fields: all } }, rate: 5/min, cache: { ttl: 1s, until: ttl } }
`;

describe('project file: apis and gateway', () => {
  it('have every default filled in, absolute paths, and secrets as references', async () => {
    await using folder = await folderWith({ 'millrace.yaml': full });
    const { gateway } = toDefinitions(await loadProject({ cwd: folder.path }));
    assert.ok(gateway);
    const { apis, webhooks, warehouses, ...rest } = gateway;
    assert.deepEqual(rest, {
      project: 'acme',
      listen: { host: '::1', port: 9000 },
      role: 'reader',
      tls: { cert: `${folder.path}/tls/cert.pem`, key: '/etc/key.pem' },
      behindProxy: false,
      jwt: {
        issuer: 'https://id.example.org',
        audience: 'acme',
        jwks: `${folder.path}/keys.json`,
        algorithms: ['RS256', 'ES256', 'EdDSA'],
        roleClaim: 'role',
        maxAge: 3_600_000,
        allowPrivate: false,
      },
      cors: ['https://app.example.org'],
      redis: 'redis://:${env:REDIS_PASSWORD}@cache:6379',
      maskKey: `\${file:${folder.path}/mask.key}`,
      graphql: { maxDepth: 4, maxCost: 10_000, graphiql: true },
      rate: { role: { requests: 100, per: 1000 }, all: { requests: 60_000, per: 60_000 }, ingest: { requests: 600_000, per: 60_000 } },
      timeout: 2000,
      exportTimeout: 300_000,
      bodyBytes: 65_536,
      concurrency: 64,
      connections: 10,
      cacheBytes: 67_108_864,
      audit: 31_536_000_000,
      ingests: [],
      triggers: [{ name: 'refresh', run: 'shop', verify: { kind: 'github', secret: '${env:GITHUB_SECRET}' } }],
    });
    assert.deepEqual(
      webhooks.map(({ name, to, datasets }) => [name, to.name, datasets]),
      [['crm', 'hook', ['marts.*']]],
    );
    assert.deepEqual(
      warehouses.map(({ name }) => name),
      ['warehouse'],
    );
    const others = { '*': { requests: 600, per: 60_000 } };
    const orders = { kind: 'table', schema: 'marts', table: 'orders' };
    const health = { kind: 'query', sql: 'select 1 AS customer_id' };
    assert.deepEqual(apis, [
      {
        name: 'customers',
        description: 'Who buys.',
        warehouse: 'warehouse',
        source: { kind: 'table', schema: 'marts', table: 'customers' },
        dataset: 'marts.customers',
        key: ['customer_id'],
        relations: {
          orders: { api: 'orders', source: orders, on: [['customer_id', 'customer_id']], fields: 'all', one: false },
          visits: {
            source: { kind: 'table', schema: 'web', table: 'visits' },
            on: [['customer_id', 'visitor']],
            fields: ['page'],
            one: false,
          },
          health: { api: 'scores', source: health, on: [['customer_id', 'customer_id']], fields: 'all', one: true },
        },
        roles: {
          support: { fields: ['customer_id', 'name', 'orders'], rows: 'region = ${claim:region}', mask: {} },
          analyst: { fields: 'all', mask: { email: 'hash' } },
        },
        cache: { ttl: 60_000, until: 'load' },
        rates: { support: { requests: 20, per: 1000 }, ...others },
        limit: { default: 20, max: 20 },
      },
      {
        name: 'orders',
        warehouse: 'warehouse',
        source: orders,
        dataset: 'marts.orders',
        key: ['order_id', 'line'],
        relations: {},
        roles: { support: { fields: 'all', mask: {} } },
        rates: others,
        limit: apiDefaults.limit,
      },
      {
        name: 'scores',
        warehouse: 'warehouse',
        source: health,
        dataset: 'health',
        key: ['customer_id'],
        relations: {},
        roles: { analyst: { fields: 'all', mask: {} } },
        rates: others,
        limit: apiDefaults.limit,
      },
      {
        name: 'built',
        warehouse: 'warehouse',
        source: { kind: 'table', schema: 'marts', table: 'built' },
        dataset: 'built',
        key: ['id'],
        relations: {},
        roles: { anonymous: { fields: 'all', mask: {} } },
        cache: { ttl: 1000, until: 'ttl' },
        rates: { '*': { requests: 5, per: 60_000 } },
        limit: apiDefaults.limit,
      },
    ]);
  });

  it('are there for a project that publishes something, and for no other', async () => {
    assert.equal(toDefinitions(await load(`${connections}\n${models}gateway: { timeout: 1s }\n`)).gateway, undefined);
    const trigger = await gatewayOf(`${connections}\n${models}gateway: { triggers: { now: { run: built } } }\n`);
    assert.deepEqual(
      trigger.warehouses.map(({ name }) => name),
      ['warehouse'],
    );
    assert.deepEqual(trigger.listen, { host: '127.0.0.1', port: 8088 });
  });

  it('show GraphiQL without a word only where nobody else can call', async () => {
    const graphiql = async (gateway: string) => (await gatewayOf(apiProject(plain, `gateway: ${gateway}\n`))).graphql.graphiql;
    assert.equal(await graphiql('{ timeout: 1s }'), true);
    assert.equal(await graphiql('{ graphql: { graphiql: false } }'), false);
    assert.equal(await graphiql('{ behind_proxy: true }'), false);
    assert.equal(await graphiql('{ listen: "0.0.0.0:80", behind_proxy: true, graphql: { graphiql: true } }'), true);
  });

  it('are the same with the documented defaults written out', async () => {
    const defaultsOf = (schema: z.ZodType): Readonly<Record<string, unknown>> =>
      Object.fromEntries(
        Object.entries(asJsonSchema(schema).properties ?? {}).flatMap(([name, one]) =>
          one.default === undefined ? [] : [[name, one.default]],
        ),
      );
    const rates = gatewaySettings.shape.rate.unwrap();
    const gateway = {
      ...defaultsOf(gatewaySettings),
      rate: defaultsOf(rates),
      graphql: defaultsOf(gatewaySettings.shape.graphql.unwrap()),
    };
    assert.ok(Object.keys(gateway).length > 9 && Object.keys(gateway.graphql).length === 2);
    const api = { ...defaultsOf(apiSettings), limit: defaultsOf(apiSettings.shape.limit.unwrap()) };
    const written = Object.entries(api).map(([name, value]) => `\n${name}: ${JSON.stringify(value)}`);
    assert.deepEqual(
      await gatewayOf(apiProject(`${plain}${written.join('')}`, `gateway: ${JSON.stringify(gateway)}\n`)),
      await gatewayOf(apiProject(plain)),
    );
  });

  it('take events of a connection in for the pipelines that load them, whose warehouse has the books', async () => {
    const clicks = '  clicks: { type: ingest, schema: ./event.json, key: event_id }';
    const pipelines = `pipelines:
  films: { from: drops, to: shop.films, streams: { movies.csv: {} } }
  clicks: { from: clicks, to: warehouse.events, streams: { clicks: { mode: append } } }
`;
    const { ingests, warehouses } = await gatewayOf(`${connections}\n${clicks}\n${pipelines}`);
    assert.deepEqual(
      ingests.map(({ connection, pipelines: names }) => [connection.name, names]),
      [['clicks', ['clicks']]],
    );
    assert.match(String(ingests[0]?.connection.settings['schema']), /^\/.*\/event\.json$/);
    assert.deepEqual(
      warehouses.map(({ name }) => name),
      ['warehouse'],
    );
    assert.match(await only(`${connections}\n${clicks}\n${models}`, 'clicks:'), /clicks takes events in, but no pipeline loads them/);
    assert.deepEqual((await problems(`${connections}\n${clicks}\n`)).length, 2);
  });

  it('may publish a dataset twice', async () => {
    const { apis } = await gatewayOf(
      `${apiProject(plain)}  again: { dataset: marts.customers, warehouse: warehouse, key: id, roles: { b: { fields: all } } }\n`,
    );
    assert.deepEqual(
      apis.map(({ name, dataset }) => [name, dataset]),
      [
        ['customers', 'marts.customers'],
        ['again', 'marts.customers'],
      ],
    );
  });
});

describe('project file: errors of apis', () => {
  it('an API publishes one dataset or model that is there, from a warehouse, by a key', async () => {
    const cases: readonly (readonly [settings: string, line: string, message: RegExp])[] = [
      [
        plain.replace('dataset: marts.customers\n', ''),
        'customers:',
        /apis\.customers needs "dataset", as in "marts\.customers", or "model"/,
      ],
      [`${plain}\nmodel: health`, 'model: health', /model stands beside "dataset"/],
      [
        plain.replace('dataset: marts.customers', 'model: helth'),
        'model: helth',
        /names "helth", which is no model\. Did you mean "health"\?/,
      ],
      [plain.replace('\nwarehouse: warehouse', ''), 'customers:', /needs "warehouse": there is not just one/],
      [plain.replace('warehouse: warehouse', 'warehouse: warehous'), 'warehous', /which is not there\. Did you mean "warehouse"\?/],
      [plain.replace('warehouse: warehouse', 'warehouse: drops'), 'drops', /a files connection, which cannot be/],
      [
        plain.replace('dataset: marts.customers\nwarehouse: warehouse', 'model: health\nwarehouse: shop'),
        'warehouse: shop',
        /the model "health" is in "warehouse": leave it out/,
      ],
      [plain.replace('\nkey: customer_id', ''), 'customers:', /needs "key": the column or columns/],
      [plain.replace('key: customer_id', 'key: [a, a]'), 'key: [a, a]', /key\[1\] names the column "a" a second time/],
      ['model: keyless\nroles: { a: { fields: all } }', 'customers:', /needs "key", here or in the model "keyless"/],
      [`${plain}\nlimit: { default: 20, max: 10 }`, 'limit:', /limit\.default is more than "max", which is 10/],
      [`${plain}\nrate: { al: 5/min }`, 'rate:', /rate\.al is no role of this API\. Did you mean "all"\?/],
      [`${plain}\nrate: { all: 5 }`, 'rate:', /rate\.all must be a rate, not the number 5: write 5\/s or 5\/min/],
    ];
    for (const [settings, line, message] of cases) assert.match(await only(apiProject(settings), line), message);
  });

  it('masks are of columns that the role sees, and never of the key', async () => {
    const masked = async (roles: string, rest = '') => await only(apiProject(withRoles(roles), rest), 'roles:');
    assert.match(await masked('{ a: { fields: all, mask: { customer_id: redact } } }'), /mask\.customer_id is of the key/);
    assert.match(
      await masked('{ a: { fields: [email], mask: { emial: redact } } }'),
      /mask\.emial is not in the role's "fields".*Did you mean "email"/,
    );
    assert.match(
      await masked('{ a: { fields: all, mask: { email: hash } } }'),
      /mask\.email is "hash", which needs a key: write "mask_key"/,
    );
    assert.match(await masked('{ a: { fields: all, mask: { email: hashed } } }'), /mask\.email must be "hash", "redact" or "null"/);
    assert.deepEqual(
      await problems(apiProject(withRoles('{ a: { fields: all, mask: { email: hash } } }'), 'gateway: { mask_key: "${env:K}" }\n')),
      [],
    );
  });

  it('rows go by claims alone, outside of quotes', async () => {
    const rows = async (text: string) => await only(apiProject(withRoles(`{ a: { fields: all, rows: "${text}" } }`)), 'roles:');
    assert.match(await rows("region = '${claim:region}'"), /has \$\{claim:region\} within quotes, where it would be text/);
    assert.match(await rows('true) or (true'), /has a parenthesis without its other: a condition stands by itself/);
    assert.match(await rows('region = ${region}'), /has "\$\{region\}", which is no reference: write "\$\{claim:name\}"/);
    assert.match(
      await only(apiProject(withRoles('{ anonymous: { fields: all, rows: "region = ${claim:region}" } }')), 'roles:'),
      /anonymous\.rows goes by a claim, which only tokens have/,
    );
    assert.match(await rows('region = ${env:REGION}'), /has a reference to a secret/);
    assert.match(
      await only(apiProject(plain.replace('marts.customers', '"marts.${claim:t}"')), 'dataset'),
      /a claim; only "rows" of an API's role/,
    );
    assert.deepEqual(
      await problems(apiProject(withRoles(`{ a: { fields: all, rows: "name <> 'it''s' AND region = ANY(\${claim:regions})" } }`))),
      [],
    );
  });

  it('a relation leads to one dataset or API of the same warehouse, under a name of its own', async () => {
    const others = `  orders: { dataset: marts.orders, warehouse: warehouse, key: id, roles: { all: { fields: all } } }
  lines: { dataset: marts.lines, warehouse: warehouse, key: id, roles: { all: { fields: all } } }
  lines2: { dataset: marts.lines, warehouse: warehouse, key: id, roles: { all: { fields: all } } }
  away: { dataset: marts.away, warehouse: shop, key: id, roles: { all: { fields: all } } }
`;
    const related = async (relation: string, roles = '{ all: { fields: all } }', line = 'relations:') =>
      await only(`${apiProject(`${withRoles(roles)}\nrelations: { ${relation} }`)}${others}`, line);
    assert.match(await related('orders: { on: id }'), /relations\.orders needs "dataset", as in "marts\.orders", or "api"/);
    assert.match(await related('orders: { on: id, api: orders, dataset: a.b }'), /dataset stands beside "api"/);
    assert.match(await related('orders: { on: id, api: order }'), /names "order", which is no API\. Did you mean "orders"\?/);
    assert.match(await related('away: { on: id, api: away }'), /is in "shop", not in "warehouse": a relation stays within a warehouse/);
    assert.match(await related('lines: { on: id, dataset: marts.lines }'), /lines and lines2 publish: name one of them with "api:"/);
    assert.match(
      await related('orders: { on: id, dataset: marts.orders, fields: [id] }'),
      /fields has no say here: the roles of the API "orders"/,
    );
    assert.match(await related('orders: { on: {}, api: orders }'), /on must name at least one column/);
    assert.match(await related('customer_id: { on: id, api: orders }'), /customer_id has the name of a column/);
    assert.match(
      await related('orders: { on: id, api: orders }', '{ all: { fields: all }, few: { fields: [name, orders] } }', 'roles:'),
      /roles\.few\.fields\[1\] names the relation "orders" to the API "orders", which has no role "few": add it there/,
    );
  });
});

describe('project file: errors of the gateway', () => {
  const gateway = async (settings: string) => await only(apiProject(plain, `gateway: { ${settings} }\n`), 'gateway:');

  it('is not open to other machines in clear', async () => {
    assert.match(await gateway('listen: "0.0.0.0:8088"'), /listen is open to other machines, and tokens would travel in clear/);
    assert.match(await gateway('listen: "127.0.0.1:80880"'), /must be an address and a port|the highest is 65535/);
    assert.deepEqual(await problems(apiProject(plain, 'gateway: { listen: "0.0.0.0:8088", behind_proxy: true }\n')), []);
    assert.deepEqual(await problems(apiProject(plain, 'gateway: { listen: "[::1]:8088" }\n')), []);
  });

  it('has its secrets by reference, and no others', async () => {
    assert.match(await gateway('mask_key: abcdefgh'), /mask_key holds a secret\. Put it into \.env as GATEWAY_MASK_KEY=…/);
    assert.match(
      await gateway('redis: { url: "redis://:hunter22@cache" }'),
      /redis\.url holds a secret\. Put it into \.env as REDIS_URL=…/,
    );
    assert.match(await gateway('triggers: { now: { run: built, verify: { kind: hmac, secret: abc } } }'), /verify\.secret holds a secret/);
    assert.match(await gateway('role: "${env:ROLE}"'), /only settings of connections, and secrets of the gateway, can have one/);
    assert.deepEqual(await problems(apiProject(plain, 'gateway: { redis: { url: "redis://cache:6379" } }\n')), []);
  });

  it('tells webhooks that can tell who it is, starts what is there, and believes whom it can', async () => {
    assert.match(await gateway('webhooks: { a: { to: opps, datasets: ["marts.*"] } }'), /"opps", which is not there\. Did you mean "ops"/);
    assert.match(
      await gateway('webhooks: { a: { to: shop, datasets: ["marts.*"] } }'),
      /a postgres connection; commits are told to a webhook connection/,
    );
    assert.match(await gateway('webhooks: { a: { to: ops, datasets: ["marts.*"] } }'), /"ops", which has no "secret"/);
    assert.match(await gateway('triggers: { a: { run: buildt } }'), /no pipeline, model or sync\. Did you mean "built"/);
    assert.match(
      await gateway('jwt: { issuer: a, audience: b, jwks: "http://id.example.org/keys" }'),
      /fetched in clear.*write "https:\/\/"/,
    );
    assert.match(await gateway('cors: ["https://app.example.org/x"]'), /cors\[0\] must be an origin, without a path/);
    assert.match(await gateway('cors: ["*"]'), /must be an origin/);
    assert.match(await gateway('timeot: 5s'), /timeot is not known\. Did you mean "timeout"/);
  });
});
