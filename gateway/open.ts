import { isIPv6 } from 'node:net';
import type { Redis } from 'ioredis';
import type { Datasets, DatasetsOptions } from '../connectors/datasets.ts';
import type { GatewayBooks } from '../connectors/gateway-books.ts';
import type { ConnectionDefinition } from '../schema/definition-parts.ts';
import { MillraceError } from '../schema/errors.ts';
import type { GatewayDefinition } from '../schema/gateway-definition.ts';
import type { StagingKeys } from '../staging/keys.ts';
import { openAccess } from './access/access.ts';
import { createAnswers, type AskedWarehouse } from './answers/answers.ts';
import { shareAnswers } from './answers/shared.ts';
import { describeAgain, FollowedCatalog, missingApis } from './catalog-refresh.ts';
import { Closing } from './closing.ts';
import type { ChangesFeed, GatewayContext, GatewayLog, Part, Runs } from './context.ts';
import { openFeed } from './feed.ts';
import { followDatasets } from './follow-catalog.ts';
import { logAccess } from './operation/access-log.ts';
import { answerCors } from './operation/cors.ts';
import { prepareDrain, type Drain, type DrainTimes } from './operation/drain.ts';
import { addHeaders } from './operation/headers.ts';
import { answerHealth, type Readiness } from './operation/health.ts';
import { createMetrics } from './operation/metrics.ts';
import { probeOf } from './operation/probe.ts';
import { watchPressure } from './operation/pressure.ts';
import { readCertificate, watchCertificate } from './operation/tls.ts';
import { parts } from './parts.ts';
import { openRedis } from './redis.ts';
import { createServer, timesFor, type ServerTimes } from './server.ts';

export interface GatewayOptions {
  /** Secrets are resolved. */
  readonly definition: GatewayDefinition;
  readonly openDatasets: (connection: ConnectionDefinition, options: DatasetsOptions) => Promise<Datasets>;
  readonly openBooks: (connection: ConnectionDefinition) => Promise<GatewayBooks>;
  readonly runs: Runs;
  /** Folder of the project's staging. */
  readonly staging: string;
  /** Encrypt what is put there. */
  readonly stagingKeys?: StagingKeys | undefined;
  readonly log: GatewayLog;
  /** Parts besides the gateway's own. */
  readonly moreParts?: readonly Part[];
  readonly drain?: DrainTimes;
  readonly times?: ServerTimes;
}

/** A gateway that listens. */
export interface Gateway {
  /** `http://127.0.0.1:8088` */
  readonly address: string;
  /** Names of the APIs, and their relations, that can't be published just now, each with its reason. */
  readonly missing: ReadonlyMap<string, string>;
  /** Says that it goes, lets what is under way end, and closes all it has opened. */
  close(): Promise<void>;
}

const drainTimes: DrainTimes = { notice: 1000, longest: 20_000 };

/**
 * Opens the gateway: books, datasets, catalog, and then the port. Throws `config` for a port that is taken or a certificate that can't
 * be used, and what the warehouse of the books throws; an API whose dataset isn't there is published when it is.
 */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const closing = new Closing(options.log);
  try {
    return await open(options, closing);
  } catch (error) {
    await closing.close();
    throw error;
  }
}

async function open(options: GatewayOptions, closing: Closing): Promise<Gateway> {
  const { definition, log, runs, staging } = options;
  const metrics = createMetrics();
  const certificate = definition.tls === undefined ? undefined : await readCertificate(definition.tls);
  const { books, changes, warehouses, feeds } = await openWarehouses(options, closing);
  for (const [name, { datasets }] of warehouses) metrics.gauge('pool_waiting', { warehouse: name }, () => datasets.waiting);

  const catalog = new FollowedCatalog(definition, new Map([...warehouses].map(([name, { datasets }]) => [name, datasets])), log);
  await catalog.refresh();
  closing.add(followDatasets(catalog, feeds, log));
  const redis = redisOf(definition, closing);
  const pressure = closing.add(watchPressure());
  const answers = createAnswers({
    warehouses,
    catalog,
    shared: redis === undefined ? undefined : shareAnswers(redis, `millrace:${definition.project}`, log),
    cacheBytes: definition.cacheBytes,
    concurrency: definition.concurrency,
    exports: Math.max(1, Math.floor(definition.connections / 2)),
    isPressed: () => pressure.isHigh,
    metrics,
  });
  const access = closing.add(openAccess({ definition, books, log, redis }));

  const { server, sockets, useCertificate } = createServer(definition, certificate, log, options.times ?? timesFor(definition));
  const drain = prepareDrain(server, () => sockets, options.drain ?? drainTimes);
  closing.add({ [Symbol.asyncDispose]: async () => await drain.close() });
  if (definition.tls !== undefined) closing.add(await watchCertificate(definition.tls, useCertificate, log));
  const context: GatewayContext = {
    definition,
    catalog,
    lookForMissing: async () => await lookForMissing(catalog, log),
    answers,
    limits: access.limits,
    audit: access.audit,
    books,
    changes,
    redis,
    runs,
    staging,
    stagingKeys: options.stagingKeys,
    log,
    draining: drain.signal,
    count: (name, labels, by) => metrics.count(name, labels, by),
    gauge: (name, labels, read) => metrics.gauge(name, labels, read),
  };
  logAccess(server, log, metrics);
  addHeaders(server, { isSecure: certificate !== undefined });
  answerCors(server, definition.cors);
  const asks = [...warehouses.values()].map((one) => async () => await one.books.latestChange());
  answerHealth(server, readinessOf({ drain, catalog, feeds, isThere: probeOf(asks) }), metrics);
  access.guard(server);
  for (const part of [...parts, ...(options.moreParts ?? [])]) await server.register(async (scope) => await part(scope, context));
  const address = await listen(server, definition);
  log.info({ address, apis: catalog.apis.map(({ definition: { name } }) => name) }, 'the gateway listens');
  return { address, missing: catalog.missing, close: async () => await closing.close() };
}

async function lookForMissing(catalog: FollowedCatalog, log: GatewayLog): Promise<void> {
  const names = missingApis(catalog);
  if (names.length > 0) await describeAgain(catalog, log, names);
}

function redisOf({ redis: url }: GatewayDefinition, closing: Closing): Redis | undefined {
  if (url === undefined) return undefined;
  const redis = openRedis(url, closing.log);
  closing.add({ [Symbol.dispose]: () => redis.disconnect() });
  return redis;
}

interface Standing {
  readonly drain: Pick<Drain, 'isDraining'>;
  readonly catalog: Pick<FollowedCatalog, 'unreachable' | 'missing'>;
  readonly feeds: ReadonlyMap<string, ChangesFeed>;
  /** Whether all warehouses answer just now. */
  readonly isThere: () => Promise<boolean>;
}

const readinessOf = ({ drain, catalog: { unreachable, missing }, feeds, isThere }: Standing): Readiness => ({
  async reasons() {
    if (drain.isDraining) return ['draining'];
    return unreachable.size === 0 && (await isThere()) ? [] : ['a warehouse can not be reached'];
  },
  notes: () => [
    ...([...feeds.values()].every(({ isLive }) => isLive) ? [] : ['commits are not heard of: answers are not kept']),
    ...(missing.size > 0 ? ['something can not be published: the log says what'] : []),
  ],
});

interface OpenedWarehouses {
  readonly books: GatewayBooks;
  readonly changes: ChangesFeed;
  readonly warehouses: ReadonlyMap<string, AskedWarehouse & { readonly datasets: Datasets; readonly books: GatewayBooks }>;
  readonly feeds: ReadonlyMap<string, ChangesFeed>;
}

/** Each warehouse tells of its own commits; the first has the books for all else. */
async function openWarehouses(
  { definition, openBooks, openDatasets }: GatewayOptions & { readonly log: GatewayLog },
  closing: Closing,
): Promise<OpenedWarehouses> {
  const { role, maskKey, connections, timeout, exportTimeout } = definition;
  const opened = await Promise.all(
    definition.warehouses.map(async (connection) => {
      const books = closing.add(await openBooks(connection));
      await books.check();
      const feed = closing.add(await openFeed(books, connection.name, closing.log));
      const datasets = closing.add(
        await openDatasets(connection, {
          ...(role === undefined ? {} : { role }),
          ...(maskKey === undefined ? {} : { maskKey }),
          connections,
          timeout,
          exportTimeout,
        }),
      );
      for (const line of await datasets.check()) closing.log.info({ warehouse: connection.name }, line);
      return { name: connection.name, books, feed, datasets };
    }),
  );
  const [first] = opened;
  if (first === undefined) throw new MillraceError('config', 'gateway: there is no warehouse for its tokens and its audit log');
  return {
    books: first.books,
    changes: first.feed,
    warehouses: new Map(opened.map(({ name, datasets, feed, books }) => [name, { datasets, feed, books }])),
    feeds: new Map(opened.map(({ name, feed }) => [name, feed])),
  };
}

const remedies: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program has the port: stop that one, or give gateway.listen another port',
  EACCES: 'this account may not have the port: give gateway.listen one above 1023',
  EADDRNOTAVAIL: 'this machine does not have the address: give gateway.listen one of its own, or 0.0.0.0 for all',
  ENOTFOUND: 'the name has no address: give gateway.listen an address of this machine',
};

async function listen(server: Parameters<Part>[0], { listen: { host, port }, tls }: GatewayDefinition): Promise<string> {
  try {
    await server.listen({ host, port });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const remedy = remedies[code];
    if (remedy === undefined) throw error;
    throw new MillraceError('config', `The gateway can not listen on ${host}:${port}: ${remedy}.`, { cause: error });
  }
  const [address] = server.addresses();
  const shown = isIPv6(host) ? `[${host}]` : host;
  return `${tls === undefined ? 'http' : 'https'}://${shown}:${typeof address === 'object' ? address.port : port}`;
}
