// Measures the gateway against a bare handler: node --import tsx bench/gateway/run.ts [--only NAME] [--rounds N] [--seconds N] [--json FILE]
import { execFile, type ChildProcess } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { startLocal } from '../../worker/local/index.ts';
import { cleanUp, peakOf, root, start } from '../children.ts';
import { execute } from '../data.ts';
import { load, type Load, type LoadRequest } from './load.ts';
import { gatewayProject, gatewayTables } from './project.ts';

interface GatewayCase {
  readonly name: string;
  /** What the reference's median, or rate, times this is to be reached. */
  readonly goal: string;
  readonly reference: (no: number) => LoadRequest;
  readonly millrace: (no: number) => LoadRequest;
  /** The gateway without cache is the reference. */
  readonly againstItself?: true;
}

const plans = ['free', 'basic', 'pro', 'Gesch%C3%A4ft'];
const listPath = (no: number): string => `plan=${plans[no % 4] ?? ''}`;
const query = `query ($after: Int) { customers(first: 5, filter: { customer_id: { gt: $after } }) { nodes { customer_id name orders(first: 3) { nodes { order_id total items(first: 3) { nodes { item_id sku quantity } } } } } } }`;
const post = (path: string, body: unknown): LoadRequest => ({ path, method: 'POST', body: JSON.stringify(body) });

const cases: readonly GatewayCase[] = [
  {
    name: 'rest-list',
    goal: 'p50 ≤ 1.6 ×',
    reference: (no) => ({ path: `/list?${listPath(no)}&after=${no * 7}` }),
    millrace: (no) => ({ path: `/api/customers?${listPath(no)}&customer_id[gt]=${no * 7}&limit=10` }),
  },
  {
    name: 'rest-get',
    goal: 'p50 ≤ 1.6 ×',
    reference: (no) => ({ path: `/get?id=${no * 16 + 2}` }),
    millrace: (no) => ({ path: `/api/customers/${no * 16 + 2}` }),
  },
  {
    name: 'rest-list-cached',
    goal: 'requests/s ≥ 3 × uncached',
    againstItself: true,
    reference: (no) => ({ path: `/api/customers?${listPath(no)}&customer_id[gt]=${no * 7}&limit=10` }),
    millrace: (no) => ({ path: `/api/kept?${listPath(no)}&customer_id[gt]=${no * 7}&limit=10` }),
  },
  {
    name: 'graphql-tree',
    goal: 'p50 ≤ 1.6 ×',
    reference: (no) => ({ path: `/tree?after=${no * 7}` }),
    millrace: (no) => post('/graphql', { query, variables: { after: no * 7 } }),
  },
];

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    json: { type: 'string' },
  },
});
const rounds = Number(values.rounds ?? 5);
const seconds = Number(values.seconds ?? 5);
const connections = 100;
// Each of them another question, so that none is answered together with another.
const distinct = 1000;

// As it is installed: built. The transpiler of development adds to each closure.
const cli = (...args: readonly string[]): readonly string[] => [join(root, 'dist/client/cli.js'), ...args];
const build = async (): Promise<unknown> =>
  await promisify(execFile)(join(root, 'node_modules/.bin/tsc'), ['-p', join(root, 'tsconfig.json')], { cwd: root });

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

interface Pair {
  readonly reference: Load;
  readonly millrace: Load;
}

interface Place {
  readonly gateway: string;
  readonly reference: string;
  readonly headers: Readonly<Record<string, string>>;
}

const requestsOf = (of: (no: number) => LoadRequest): readonly LoadRequest[] => Array.from({ length: distinct }, (_, no) => of(no));

async function measure(one: GatewayCase, place: Place): Promise<readonly Pair[]> {
  const pairs: Pair[] = [];
  const ours = { url: place.gateway, headers: place.headers, connections, seconds };
  const reference = one.againstItself ? ours : { url: place.reference, connections, seconds };
  // The first round warms both up and isn't counted.
  for (let round = 0; round <= rounds; round += 1) {
    const pair: Pair = {
      reference: await load({ ...reference, requests: requestsOf(one.reference) }),
      millrace: await load({ ...ours, requests: requestsOf(one.millrace) }),
    };
    if (round === 0) continue;
    pairs.push(pair);
    console.error(
      `${one.name} ${round}/${rounds}: p50 ${pair.millrace.p50} ms / ${pair.reference.p50} ms, ${pair.millrace.requestsPerSecond.toFixed(0)} / ${pair.reference.requestsPerSecond.toFixed(0)} requests/s`,
    );
  }
  return pairs;
}

function rowOf(one: GatewayCase, pairs: readonly Pair[], peak: number): Readonly<Record<string, string | number>> {
  const of = (pick: (pair: Pair) => number): number => median(pairs.map(pick));
  return {
    name: one.name,
    p50: of(({ millrace }) => millrace.p50),
    p50_reference: of(({ reference }) => reference.p50),
    p50_ratio: of(({ millrace, reference }) => millrace.p50 / reference.p50).toFixed(2),
    p99: of(({ millrace }) => millrace.p99),
    p99_reference: of(({ reference }) => reference.p99),
    per_second: Math.round(of(({ millrace }) => millrace.requestsPerSecond)),
    per_second_reference: Math.round(of(({ reference }) => reference.requestsPerSecond)),
    per_second_ratio: of(({ millrace, reference }) => millrace.requestsPerSecond / reference.requestsPerSecond).toFixed(2),
    goal: one.goal,
    peak_mb: peak,
  };
}

const folder = await mkdtemp(join(tmpdir(), 'millrace-gateway-bench-'));
const children: ChildProcess[] = [];
try {
  await build();
  const file = join(folder, 'millrace.yaml');
  await writeFile(file, gatewayProject);
  const settings = { shared_buffers: '512MB', jit: 'off' };
  const servers = await startLocal({
    folder,
    project: 'gateway-bench',
    log: (line) => console.error(line),
    need: { postgres: true, temporal: false },
    postgresSettings: settings,
  });
  const warehouse = servers.postgres?.url ?? '';
  await execute(warehouse, gatewayTables.slice(0, gatewayTables.indexOf('VACUUM')));
  await execute(warehouse, 'VACUUM ANALYZE');
  // As the service runs it (docs/deploy/millrace-gateway@.service), and the reference too.
  const environment = { ...process.env, WAREHOUSE_URL: warehouse, NODE_OPTIONS: '--max-semi-space-size=64' };
  const create = cli('token', 'create', '--role', 'service', '--claim', 'region=EU', '--name', 'bench', '--file', file);
  const { stdout } = await promisify(execFile)(process.execPath, [...create], { env: environment, cwd: root });
  const [gateway, gatewayProcess] = await start(cli('serve', '--file', file), environment, /http:\/\/127\.0\.0\.1:\d+/);
  children.push(gatewayProcess);
  const bare = ['--import', 'tsx', fileURLToPath(new URL('reference.ts', import.meta.url))];
  const [reference, referenceProcess] = await start(bare, environment, /http:\/\/\S+/);
  children.push(referenceProcess);
  const headers = { authorization: `Bearer ${stdout.trim()}`, 'content-type': 'application/json' };
  const results: Readonly<Record<string, string | number>>[] = [];
  for (const one of cases.filter(({ name }) => values.only === undefined || values.only.includes(name))) {
    results.push(rowOf(one, await measure(one, { gateway, reference, headers }), await peakOf(gatewayProcess)));
  }
  console.table(results);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
} finally {
  await cleanUp(children, folder);
}
