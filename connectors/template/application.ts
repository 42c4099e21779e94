import { createHash } from 'node:crypto';
import { accepted, parseDuration } from '../../schema/quantity.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { Operation, Settling } from '../../schema/sync.ts';
import type { Application, ApplicationContext, ApplicationLimits, ApplicationRequest, Batch, Outcome } from '../application.ts';
import type { Attempt } from '../connector.ts';
import type { HttpClient } from '../http/client.ts';
import { createHttpClient } from '../http/http-client.ts';
import { defaultRequestTimeout, limitsOf } from '../http/settings.ts';
import type { Template } from './declaration.ts';
import { describeObject, listObjects } from './describe.ts';
import { eachRow } from './each-row.ts';
import { compileFind, type Find } from './find.ts';
import { checkConnection } from './check.ts';
import { checkDeclaration } from './declaration-rules.ts';
import { checkObject } from './object-rules.ts';
import { findObject, noObject, type FoundObject } from './object.ts';
import { compileOperation, findTime, type Sender } from './operation.ts';
import type { TemplateSettings } from './settings.ts';
import { shipped } from './shipped.ts';

/** Requests under way at the same time, where nothing says more. */
const defaultConcurrency = 4;
/** Milliseconds in which requests for single rows of one batch begin, and waits of the client for its limits. */
const sideTime = 10_000;

function templateOf(settings: TemplateSettings, name: string): Template {
  const { template, objects = {}, check } = settings;
  if (template === undefined && Object.keys(objects).length === 0) {
    throw new MillraceError('config', `connection ${name}: give a template, or declare objects`);
  }
  const base: Template = template === undefined ? { system: `HTTP API ${new URL(settings.url).host}`, objects: {} } : shipped[template];
  return {
    ...base,
    ...(check === undefined ? {} : { check: { method: 'GET', path: check } as const }),
    objects: { ...objects, ...base.objects },
  };
}

function clientOf(settings: TemplateSettings, template: Template, name: string, context: ApplicationContext): HttpClient {
  const { concurrency, rate, throttled = [], headers } = template;
  return createHttpClient({
    name,
    baseUrl: settings.url,
    settings,
    context,
    limits: { ...(concurrency === undefined ? {} : { concurrency }), ...(rate === undefined ? {} : { rate }) },
    headers: { ...headers, ...settings.headers },
    throttled: (answer) =>
      throttled.find(({ status, withoutJson }) => answer.status === status && (!withoutJson || answer.body === undefined))?.wait,
  });
}

/** An object of an API that is known by declaration. */
export async function openApplication(
  settings: TemplateSettings,
  name: string,
  request: ApplicationRequest,
  context: ApplicationContext,
): Promise<Application> {
  const template = templateOf(settings, name);
  const where = `connection ${name}, object ${request.object}`;
  const found = findObject(template, request, where);
  const client = clientOf(settings, template, name, context);
  if (found === undefined) return absentObject(noObject(template, request.object, name), client);
  checkDeclaration(found.declared, where);
  checkObject(found, request, where);
  const concurrency = limitsOf(settings, template).concurrency ?? defaultConcurrency;
  return objectApplication({ settings, template, request, found, where, client, concurrency });
}

interface Opened {
  readonly settings: TemplateSettings;
  readonly template: Template;
  readonly request: ApplicationRequest;
  readonly found: FoundObject;
  readonly where: string;
  readonly client: HttpClient;
  readonly concurrency: number;
}

function objectApplication(opened: Opened): Application {
  const { template, request, found, where, client, concurrency } = opened;
  const { declared, scope } = found;
  const find = declared.find && compileFind(declared.find, { client, scope, where: `${where}, find` });
  const senders = compileSenders(opened, find);
  const describing = { client, declared, scope, object: request.object, where };
  const writes = Object.fromEntries(Object.entries(declared.operations).map(([operation, { settles }]) => [operation, settles]));

  const send = async ({ operation, rows }: Batch, attempt: Attempt): Promise<readonly Outcome[]> => {
    const sender = senders.get(operation);
    if (sender === undefined)
      throw new MillraceError('config', `${where}: there is no operation ${operation}; there are ${[...senders.keys()].join(', ')}`);
    if (rows.length <= sender.batch || sender.batch > 1) return await sender.send(rows, attempt);
    return await eachRow(rows, { width: concurrency, until: performance.now() + sideTime }, async (row) => {
      const [outcome] = await sender.send([row], attempt);
      return outcome ?? { status: 'unknown', reason: 'there is no outcome' };
    });
  };
  return {
    limits: limitsFor(opened, senders),
    identity: identityOf(opened),
    writes: writes satisfies Partial<Record<Operation, Settling>>,
    changedOnly: declared.changed_only ?? false,
    check: async (attempt) => await checkConnection({ ...describing, template }, attempt),
    objects: async (attempt) => [
      ...Object.keys(template.objects).filter((name) => !name.includes('{')),
      ...(await listObjects(describing, attempt)),
    ],
    describe: async (attempt) => await describeObject(describing, attempt),
    send,
    ...(find === undefined ? {} : { find }),
    [Symbol.asyncDispose]: async () => await client[Symbol.asyncDispose](),
  };
}

/** Another base path may be another account (and a secret): it is told apart, not shown. Options that are part of addresses make other objects. */
function identityOf({ settings, found: { declared, scope } }: Opened): string {
  const { origin, pathname } = new URL(settings.url);
  const path = pathname.replace(/\/+$/, '');
  const addresses = Object.values(declared.operations).map((operation) => JSON.stringify([operation.path, operation.query]));
  const options = Object.entries(scope.write).filter(([name]) => addresses.some((address) => address.includes(`write.${name}`)));
  return [
    origin,
    ...(path === '' ? [] : [`path ${createHash('sha256').update(path).digest('hex').slice(0, 8)}`]),
    ...options.map(([name, value]) => `${name} ${value}`),
  ].join(', ');
}

function compileSenders({ found, client, concurrency }: Opened, find: Find | undefined): ReadonlyMap<string, Sender> {
  const { declared, scope } = found;
  const { create } = declared.operations;
  const sending = { client, scope, find, findRows: declared.find?.batch ?? 1, width: concurrency, create };
  return new Map(Object.entries(declared.operations).map(([name, operation]) => [name, compileOperation(operation, sending)]));
}

function limitsFor({ settings, template, request, concurrency }: Opened, senders: ReadonlyMap<string, Sender>): ApplicationLimits {
  const timeout = accepted(parseDuration, settings.request_timeout ?? defaultRequestTimeout);
  const needed = [...senders].filter(([operation]) => request.operations?.some((each) => each === operation) ?? true);
  const batches = needed.map(([, { batch }]) => batch);
  const batchRows = Math.max(1, ...batches);
  const { rate } = limitsOf(settings, template);
  return {
    batchRows,
    operationRows: Object.fromEntries(needed.map(([operation, { batch }]) => [operation, batch])),
    batchBytes: 4 * 1024 * 1024,
    concurrency,
    requestTimeout: timeout + sideTime + findTime,
    ...(rate === undefined ? {} : { rate }),
  };
}

/** Says on every call that there is no such object. */
function absentObject(error: MillraceError, client: HttpClient): Application {
  const fail = async (): Promise<never> => {
    throw error;
  };
  return {
    limits: { batchRows: 1, batchBytes: 1, concurrency: 1, requestTimeout: 1 },
    identity: '',
    writes: {},
    changedOnly: false,
    check: async () => ({ system: 'HTTP API', problems: [error.message], warnings: [] }),
    objects: fail,
    describe: fail,
    send: fail,
    [Symbol.asyncDispose]: async () => await client[Symbol.asyncDispose](),
  };
}
