import { connect } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { toDefinitions } from '../client/project/definitions.ts';
import { loadProject } from '../client/project/load.ts';
import type { GatewayBooks } from '../connectors/gateway-books.ts';
import { connectorOf } from '../connectors/registry.ts';
import { newToken } from '../gateway/access/tokens.ts';
import type { GatewayLog, Part, Runs } from '../gateway/context.ts';
import { openGateway, type Gateway, type GatewayOptions } from '../gateway/open.ts';
import type { GatewayDefinition } from '../schema/gateway-definition.ts';
import { resolveGateway } from '../worker/gateway.ts';
import { createDatabase, dropDatabase } from './servers.ts';

/** What a gateway of a test is made of. */
export interface TestGatewaySettings {
  /** SQL that makes the tables, in a schema `marts` that is there. */
  readonly tables?: string;
  /** `apis` of the project file; each gets `warehouse: warehouse`. */
  readonly apis?: Readonly<Record<string, object>>;
  /** `gateway` of the project file; it listens on a free port of 127.0.0.1. */
  readonly gateway?: object;
  /** Other parts of the project file: `connections`, `pipelines`, `models`. */
  readonly project?: { readonly connections?: object } & Readonly<Record<string, unknown>>;
  /** Changes the definition before the gateway opens. */
  readonly define?: (definition: GatewayDefinition) => GatewayDefinition;
  /** Routes of the test's own. */
  readonly parts?: readonly Part[];
  readonly runs?: Partial<Runs>;
  readonly options?: Partial<Pick<GatewayOptions, 'drain' | 'times' | 'openDatasets' | 'openBooks'>>;
  /** Environment of secrets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** A database of the test's own, which stays; by default one is made and dropped. */
  readonly database?: string;
}

interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Asked {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  /** Texts go as they are, all else as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body parsed; throws when it isn't JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers of any form
  readonly json: any;
}

export interface TestGateway extends AsyncDisposable {
  readonly address: string;
  readonly definition: GatewayDefinition;
  readonly books: GatewayBooks;
  /** URL of the warehouse's database. */
  readonly database: string;
  /** Folder of staging. */
  readonly staging: string;
  readonly log: readonly LogLine[];
  /** A live token; by default of the scope `api`. */
  token(settings?: {
    readonly role?: string;
    readonly scopes?: readonly string[];
    readonly claims?: Readonly<Record<string, unknown>>;
    readonly expiresAt?: Date;
  }): Promise<string>;
  get(path: string, asked?: Asked): Promise<Told>;
  post(path: string, body: unknown, asked?: Asked): Promise<Told>;
  sql(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** Announces a commit to `schema.table`, as a load does. */
  announce(dataset: string): Promise<void>;
  /** Closes the gateway alone; disposing closes the rest. */
  close(): Promise<void>;
}

const noRuns: Runs = {
  wakeIngest: () => Promise.resolve(),
  wakeWebhook: () => Promise.resolve(),
  start: (name) => Promise.resolve({ workflowId: `test/${name}`, runId: '0' }),
};

/** The project file of a test, read and found right, with its secrets. */
async function defineGateway(folder: string, url: string, settings: TestGatewaySettings): Promise<GatewayDefinition> {
  const { apis = {}, gateway = {}, project = {}, environment = {} } = settings;
  const { connections = {}, ...others } = project;
  const file = join(folder, 'millrace.yaml');
  const text = {
    project: `test-${folder.slice(-6).toLowerCase()}`,
    connections: { warehouse: { type: 'postgres', url: '${env:WAREHOUSE_URL}' }, ...connections },
    ...others,
    gateway: { listen: '127.0.0.1:0', ...gateway },
    apis: Object.fromEntries(Object.entries(apis).map(([name, api]) => [name, { warehouse: 'warehouse', ...api }])),
  };
  await writeFile(file, JSON.stringify(text));
  const { gateway: definition } = toDefinitions(await loadProject({ file }));
  if (definition === undefined) throw new Error('the project has no gateway');
  const { definition: resolved } = await resolveGateway(definition, { ...environment, WAREHOUSE_URL: url });
  return settings.define?.(resolved) ?? resolved;
}

function collect(lines: LogLine[]): GatewayLog {
  const level =
    (name: LogLine['level']): GatewayLog['info'] =>
    (fields, message) =>
      void lines.push({ level: name, message, fields });
  return { info: level('info'), warn: level('warn'), error: level('error') };
}

/** Sends a request and reads all of its answer. */
export async function ask(address: string, path: string, { token, headers, method = 'GET', body, signal }: Asked = {}): Promise<Told> {
  const answer = await fetch(`${address}${path}`, {
    method,
    headers: {
      ...(body === undefined || typeof body === 'string' ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
    redirect: 'manual',
  });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    get json() {
      return JSON.parse(text);
    },
  };
}

/** Sends a request and is gone before it can be heard. */
export async function askAndLeave(address: string, path: string, token: string): Promise<void> {
  const { hostname, port } = new URL(address);
  const request = `GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${token}\r\n\r\n`;
  await new Promise<void>((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(request, () => socket.destroy()));
    socket.on('error', () => undefined).on('close', () => resolve());
  });
}

/** Starts a gateway in this process over a fresh database. */
export async function openTestGateway(settings: TestGatewaySettings): Promise<TestGateway> {
  const database = settings.database ?? (await createDatabase('gateway'));
  const pool = new pg.Pool({ connectionString: database, max: 2 });
  pool.on('error', () => undefined);
  const folder = await mkdtemp(join(tmpdir(), 'millrace-gateway-'));
  const log: LogLine[] = [];
  let gateway: Gateway | undefined;
  let books: GatewayBooks | undefined;
  const dispose = async (): Promise<void> => {
    await gateway?.close();
    await books?.[Symbol.asyncDispose]();
    await pool.end();
    if (settings.database === undefined) await dropDatabase(database);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await pool.query(`CREATE SCHEMA IF NOT EXISTS marts; ${settings.tables ?? ''}`);
    const definition = await defineGateway(folder, database, settings);
    const staging = join(folder, '.millrace', 'staging');
    const opened = await openGateway({
      definition,
      openDatasets: async ({ type, name, settings: of }, options) => await connectorOf(type, name).openDatasets(of, name, options),
      openBooks: async ({ type, name, settings: of }) => await connectorOf(type, name).openGatewayBooks(of, name),
      runs: { ...noRuns, ...settings.runs },
      staging,
      log: collect(log),
      moreParts: settings.parts ?? [],
      drain: { notice: 0, longest: 5000 },
      ...settings.options,
    });
    gateway = opened;
    const kept = await connectorOf('postgres', 'warehouse').openGatewayBooks({ type: 'postgres', url: database }, 'warehouse');
    books = kept;
    const sql: TestGateway['sql'] = async (text, values = []) => (await pool.query<Record<string, unknown>>(text, [...values])).rows;
    return {
      address: opened.address,
      definition,
      books: kept,
      database,
      staging,
      log,
      async token({ role, scopes = ['api'], claims = {}, expiresAt } = {}) {
        const { token, id, hash } = newToken();
        await kept.createToken({ project: definition.project, id, name: id, hash, role, scopes, claims, expiresAt });
        return token;
      },
      get: async (path, asked) => await ask(opened.address, path, asked),
      post: async (path, body, asked) => await ask(opened.address, path, { method: 'POST', body, ...asked }),
      sql,
      async announce(dataset) {
        await sql('SELECT _millrace.announce($1, $2, $3, NULL, 1)', [definition.project, dataset, 'test']);
      },
      close: async () => await opened.close(),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Waits until a condition holds; the time-out of the test is the limit. It asks ever more slowly: an API allows 600 requests a minute. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let wait = 10; !(await holds()); wait = Math.min(wait * 1.2, 110)) await new Promise((resolve) => void setTimeout(resolve, wait));
}
