import { closest } from 'fastest-levenshtein';
import { MillraceError } from '../../schema/errors.ts';
import type { Application, ApplicationContext, ApplicationRequest } from '../application.ts';
import type { Attempt, CheckReport } from '../connector.ts';
import { createHttpClient } from '../http/http-client.ts';
import { events } from './events.ts';
import { type BrazeObject, type Probe, refusalOf } from './object.ts';
import { brazeWriteOptions, type BrazeSettings, type BrazeWriteOptions } from './settings.ts';
import { subscriptionGroup } from './subscription-group.ts';
import { users } from './users.ts';
import { post, type Workspace } from './workspace.ts';

const names = ['users', 'events', 'subscription_groups/<id>'];

function optionsOf({ write }: ApplicationRequest, name: string): BrazeWriteOptions {
  const parsed = brazeWriteOptions.safeParse(write);
  if (parsed.success) return parsed.data;
  const found = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new MillraceError('config', `connection ${name}: write: ${found}`);
}

function objectOf(workspace: Workspace, request: ApplicationRequest): BrazeObject {
  const options = optionsOf(request, workspace.name);
  if (request.object === 'users') return users(workspace, request, options);
  if (request.object === 'events') return events(workspace, request, options);
  const group = /^subscription_groups\/(.+)$/.exec(request.object)?.[1];
  return group === undefined ? missing(workspace, request) : subscriptionGroup(workspace, request, group);
}

function missing({ name }: Workspace, { object }: ApplicationRequest): BrazeObject {
  const fail = async (): Promise<never> => {
    const nearest = closest(object, names);
    throw new MillraceError('not-found', `connection ${name}: Braze has no ${object}; the nearest name is ${nearest}`);
  };
  return {
    batchRows: 1,
    batchBytes: 1,
    writes: {},
    changedOnly: false,
    probes: [],
    problem: async () => await refusalOf(fail),
    describe: fail,
    send: fail,
  };
}

/** Another event, or aliases under another label, are other objects. */
function identityOf({ url }: BrazeSettings, { event, alias_label: label }: BrazeWriteOptions): string {
  const parts = [...(event === undefined ? [] : [`event ${event}`]), ...(label === undefined ? [] : [`aliases ${label}`])];
  return [new URL(url).origin, ...parts].join(', ');
}

/** Opens an object of a Braze workspace. */
export async function openApplication(
  settings: BrazeSettings,
  name: string,
  request: ApplicationRequest,
  context: ApplicationContext,
): Promise<Application> {
  const client = createHttpClient({
    name,
    baseUrl: settings.url,
    settings: { ...settings, auth: { type: 'bearer', token: settings.api_key } },
    context,
    // Of `/users/track`: https://www.braze.com/docs/api/api_limits
    limits: { rate: { requests: 3000, per: 3000 } },
  });
  const workspace = { name, client };
  const object = objectOf(workspace, request);
  const { rate } = client.limits;
  return {
    limits: {
      batchRows: object.batchRows,
      batchBytes: object.batchBytes,
      concurrency: client.limits.concurrency ?? 8,
      requestTimeout: client.requestTimeout,
      ...(rate === undefined ? {} : { rate }),
    },
    identity: identityOf(settings, optionsOf(request, name)),
    writes: object.writes,
    changedOnly: object.changedOnly,
    ...(object.costUnit === undefined ? {} : { costUnit: object.costUnit }),
    check: async (attempt) => await check(workspace, object, request, attempt),
    objects: async () => names,
    describe: async (attempt) => await object.describe(attempt),
    send: async (batch, attempt) => await object.send(batch, attempt),
    [Symbol.asyncDispose]: async () => await client[Symbol.asyncDispose](),
  };
}

async function check(workspace: Workspace, object: BrazeObject, request: ApplicationRequest, attempt: Attempt): Promise<CheckReport> {
  const wanted = ({ needs }: Probe): boolean => request.operations?.some((operation) => needs.includes(operation)) ?? true;
  const problems: string[] = [];
  for (const { path, permission } of object.probes.filter(wanted)) {
    const refusal = await refusalOf(async () => await post(workspace, path, {}, true, attempt));
    if (refusal !== undefined) problems.push(`${refusal} (permission ${permission})`);
  }
  const own = await object.problem();
  if (own !== undefined) problems.push(own);
  const warning = problems.length > 0 ? undefined : await object.warning?.(attempt);
  return { system: 'Braze', problems, warnings: warning === undefined ? [] : [warning] };
}
