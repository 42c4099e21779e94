import { resolve } from 'node:path';
import type { ConnectionDefinition, ModelDefinition, PipelineDefinition } from '../../schema/definition.ts';
import type { GatewayDefinition, IngestDefinition } from '../../schema/gateway-definition.ts';
import { gatewayDefaults, type GatewaySettings } from '../../schema/project-gateway.ts';
import { accepted, parseDuration, parseSize } from '../../schema/quantity.ts';
import { toApi, toRate } from './api-definitions.ts';
import { connectionOf, type Context } from './connection-definitions.ts';
import { layered } from './merge.ts';
import { absoluteReferences } from './references.ts';
import type { ProjectFile } from './schema.ts';

export interface GatewayContext extends Context {
  /** The project file's. */
  readonly folder: string;
  readonly models: ReadonlyMap<string, ModelDefinition>;
  readonly pipelines: readonly Pick<PipelineDefinition, 'name' | 'from' | 'to'>[];
}

/** What the gateway publishes and takes in, with every default filled in; undefined when there is nothing of the kind. */
export function toGateway(context: GatewayContext): GatewayDefinition | undefined {
  const { project, models } = context;
  const settings = project.gateway ?? {};
  const apis = Object.entries(project.apis ?? {}).map(([name, api]) => toApi(name, api, context, models));
  const ingests = toIngests(context);
  const webhooks = Object.entries(settings.webhooks ?? {}).map(([name, { to, datasets }]) => ({
    name,
    to: connectionOf(to, context),
    datasets,
  }));
  const triggers = Object.entries(settings.triggers ?? {}).map(([name, { run, verify }]) => ({
    name,
    run,
    ...(verify === undefined ? {} : { verify: { ...verify, secret: secretOf(verify.secret, context) } }),
  }));
  if ([apis, ingests, webhooks, triggers].every(({ length }) => length === 0)) return undefined;
  return {
    project: project.project,
    ...serverOf(settings, context),
    ...limitsOf(settings),
    apis,
    ingests,
    webhooks,
    triggers,
    warehouses: unique([...apis.map(({ warehouse }) => connectionOf(warehouse, context)), ...booksOf(context, apis.length > 0)]),
  };
}

/** Whether a project has something that only the gateway does. */
export function wantsGateway({ apis = {}, connections, gateway }: ProjectFile): boolean {
  const named = [apis, gateway?.webhooks ?? {}, gateway?.triggers ?? {}];
  return named.some((names) => Object.keys(names).length > 0) || Object.values(connections).some(isIngest);
}

/** A connection that takes events in. */
export const isIngest = ({ type }: { readonly type: string }): boolean => type === 'ingest';

function toIngests({ connections, pipelines }: GatewayContext): readonly IngestDefinition[] {
  return [...connections.values()].filter(isIngest).map((connection) => ({
    connection,
    pipelines: pipelines.filter(({ from }) => from.name === connection.name).map(({ name }) => name),
  }));
}

/** Without APIs the books are in the warehouse that events are loaded into, or else in the first that anything is loaded into. */
function booksOf({ pipelines, models }: GatewayContext, hasApis: boolean): readonly ConnectionDefinition[] {
  if (hasApis) return [];
  const taking = pipelines.filter(({ from }) => isIngest(from));
  const candidates = [...[...taking, ...pipelines].map(({ to }) => to), ...[...models.values()].map(({ warehouse }) => warehouse)];
  return candidates.slice(0, 1);
}

const unique = (connections: readonly ConnectionDefinition[]): readonly ConnectionDefinition[] => [
  ...new Map(connections.map((connection) => [connection.name, connection])).values(),
];

/** `127.0.0.1:8088`, `[::1]:8088` as host and port. */
export function parseListen(text: string): GatewayDefinition['listen'] {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(colon + 1)) };
}

/** Whether only this machine itself can call there. */
export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);

const secretOf = (text: string, { folder }: GatewayContext): string => absoluteReferences(text, (path) => resolve(folder, path), false);

type Server = Pick<GatewayDefinition, 'listen' | 'role' | 'tls' | 'behindProxy' | 'jwt' | 'cors' | 'redis' | 'maskKey' | 'graphql'>;

function serverOf(settings: GatewaySettings, context: GatewayContext): Server {
  const { role, tls, jwt, redis, mask_key: maskKey, behind_proxy: behindProxy = false, cors = [] } = settings;
  const listen = parseListen(settings.listen ?? gatewayDefaults.listen);
  return {
    listen,
    ...(role === undefined ? {} : { role }),
    ...(tls === undefined ? {} : { tls: { cert: resolve(context.folder, tls.cert), key: resolve(context.folder, tls.key) } }),
    behindProxy,
    ...(jwt === undefined ? {} : { jwt: toJwt(jwt, context) }),
    cors,
    ...(redis === undefined ? {} : { redis: secretOf(redis.url, context) }),
    ...(maskKey === undefined ? {} : { maskKey: secretOf(maskKey, context) }),
    graphql: graphqlOf(settings, isLoopback(listen.host) && !behindProxy),
  };
}

function graphqlOf({ graphql = {} }: GatewaySettings, isLocal: boolean): GatewayDefinition['graphql'] {
  const { max_depth: maxDepth, max_cost: maxCost } = layered<{ readonly max_depth: number; readonly max_cost: number }>(
    { max_depth: gatewayDefaults.max_depth, max_cost: gatewayDefaults.max_cost },
    graphql,
  );
  return { maxDepth, maxCost, graphiql: graphql.graphiql ?? isLocal };
}

function toJwt(jwt: NonNullable<GatewaySettings['jwt']>, { folder }: GatewayContext): NonNullable<GatewayDefinition['jwt']> {
  return {
    issuer: jwt.issuer,
    audience: jwt.audience,
    jwks: /^https?:\/\//i.test(jwt.jwks) ? jwt.jwks : resolve(folder, jwt.jwks),
    algorithms: jwt.algorithms ?? gatewayDefaults.algorithms,
    roleClaim: jwt.role_claim ?? gatewayDefaults.role_claim,
    ...(jwt.max_age === undefined ? {} : { maxAge: accepted(parseDuration, jwt.max_age) }),
    allowPrivate: jwt.allow_private ?? false,
  };
}

type Limits = Pick<
  GatewayDefinition,
  'rate' | 'timeout' | 'exportTimeout' | 'bodyBytes' | 'concurrency' | 'connections' | 'cacheBytes' | 'audit'
>;

interface Quantities {
  readonly timeout: string;
  readonly export_timeout: string;
  readonly body: string;
  readonly concurrency: number;
  readonly connections: number;
  readonly cache_size: string;
  readonly audit: string;
}

function limitsOf(settings: GatewaySettings): Limits {
  const { rate: defaultRate, ...defaults } = gatewayDefaults;
  const given = layered<Quantities>(defaults, settings);
  return {
    rate: {
      role: toRate(settings.rate?.role ?? defaultRate.role),
      all: toRate(settings.rate?.all ?? defaultRate.all),
      ingest: toRate(settings.rate?.ingest ?? defaultRate.ingest),
    },
    timeout: accepted(parseDuration, given.timeout),
    exportTimeout: accepted(parseDuration, given.export_timeout),
    bodyBytes: accepted(parseSize, given.body),
    concurrency: given.concurrency,
    connections: given.connections,
    cacheBytes: accepted(parseSize, given.cache_size),
    audit: accepted(parseDuration, given.audit),
  };
}
