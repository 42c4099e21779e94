import type { GatewaySettings } from '../../schema/project-gateway.ts';
import { suggestion, wrong, type Finding, type Path } from './finding.ts';
import { isIngest, isLoopback, parseListen, wantsGateway } from './gateway-definitions.ts';
import { secretFindings } from './references.ts';
import { webhookFindings } from './rules-webhook.ts';
import type { ProjectFile } from './schema.ts';

const path: Path = ['gateway'];

/** What is wrong with the gateway: who can reach it, whom it believes, what it tells and starts; and with what takes events in. */
export function gatewayFindings(project: ProjectFile): readonly Finding[] {
  const settings = project.gateway ?? {};
  return [
    ...booksFindings(project),
    ...ingestFindings(project),
    ...listenFindings(settings),
    ...jwtFindings(settings),
    ...(settings.cors ?? []).flatMap((origin, index) => originFindings(origin, [...path, 'cors', index])),
    ...secretsFindings(settings),
    ...webhookFindings(project, settings),
    ...triggerFindings(project, settings),
  ];
}

/** Tokens, audit log and changes are in a warehouse. */
function booksFindings(project: ProjectFile): readonly Finding[] {
  const { apis = {}, pipelines = {}, models = {} } = project;
  if (!wantsGateway(project) || [apis, pipelines, models].some((names) => Object.keys(names).length > 0)) return [];
  const place: Path = project.gateway === undefined ? ['connections'] : path;
  return [wrong(place, 'needs a warehouse, where the tokens and the audit log are: add a pipeline, a model or an API.', 'name')];
}

function ingestFindings({ connections, pipelines = {} }: ProjectFile): readonly Finding[] {
  const read = new Set(Object.values(pipelines).map(({ from }) => from));
  return Object.entries(connections)
    .filter(([name, settings]) => isIngest(settings) && !read.has(name))
    .map(([name]) =>
      wrong(['connections', name], 'takes events in, but no pipeline loads them: add one with "from: ' + name + '".', 'name'),
    );
}

function listenFindings({ listen, tls, behind_proxy: behindProxy = false }: GatewaySettings): readonly Finding[] {
  if (listen === undefined) return [];
  const { host, port } = parseListen(listen);
  if (port > 65_535) return [wrong([...path, 'listen'], `has the port ${port}; the highest is 65535.`)];
  if (tls !== undefined || behindProxy || isLoopback(host)) return [];
  return [
    wrong(
      [...path, 'listen'],
      'is open to other machines, and tokens would travel in clear: give "tls", or "behind_proxy: true" where a proxy in front ends TLS.',
    ),
  ];
}

function jwtFindings({ jwt }: GatewaySettings): readonly Finding[] {
  if (jwt === undefined || !/^http:\/\//i.test(jwt.jwks) || jwt.allow_private === true) return [];
  return [wrong([...path, 'jwt', 'jwks'], 'is fetched in clear, so that anyone on the way could put keys in: write "https://".')];
}

function originFindings(origin: string, place: Path): readonly Finding[] {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return [];
  return [wrong(place, 'must be an origin, without a path, as in "https://app.example.com".')];
}

/** Secrets of the gateway are references, as those of connections are. */
function secretsFindings({ redis, mask_key: maskKey, triggers = {} }: GatewaySettings): readonly Finding[] {
  return [
    ...secretFindings(redis ?? {}, [...path, 'redis'], 'redis'),
    ...(maskKey === undefined ? [] : secretFindings({ mask_key: maskKey }, path, 'gateway')),
    ...Object.entries(triggers).flatMap(([name, { verify }]) =>
      verify === undefined ? [] : secretFindings({ secret: verify.secret }, [...path, 'triggers', name, 'verify'], name),
    ),
  ];
}

/** Whether a place in the file takes a secret of the gateway. */
export function isGatewaySecret([top, ...rest]: Path): boolean {
  return top === 'gateway' && /^(?:mask_key|redis url|triggers \S+ verify secret)$/.test(rest.join(' '));
}

function triggerFindings({ pipelines, models, syncs }: ProjectFile, { triggers = {} }: GatewaySettings): readonly Finding[] {
  const known = [pipelines, models, syncs].flatMap((names) => Object.keys(names ?? {}));
  return Object.entries(triggers).flatMap(([name, { run }]) =>
    known.includes(run)
      ? []
      : [wrong([...path, 'triggers', name, 'run'], `names "${run}", which is no pipeline, model or sync.${suggestion(run, known)}`)],
  );
}
