import { MillraceError } from '../../schema/errors.ts';
import type { Operation, Settling } from '../../schema/sync.ts';
import type { Application, ApplicationContext, ApplicationLimits, ApplicationRequest } from '../application.ts';
import type { Attempt, CheckReport } from '../connector.ts';
import { createHttpClient } from '../http/http-client.ts';
import { authOf } from './auth.ts';
import { writeById } from './by-id.ts';
import { collectionBytes, collectionRows, write } from './collections.ts';
import { describeObject, listObjects, rememberFields, type SalesforceField } from './describe.ts';
import { jobBytes, jobRows, pollJob, startJob } from './jobs.ts';
import { findIds } from './lookup.ts';
import { ask, throttledFor, type Org } from './org.ts';
import { salesforceWriteOptions, type SalesforceSettings } from './settings.ts';

/** Rows of a run from which jobs are worth it, as Salesforce advises. */
const bulkFrom = 2_000;

/** Triggers and automation of an org may keep a request of 200 rows for long. */
const defaultTimeout = '120s';

/** An object that is found by its `Id` can't be made; where another field finds it, a create is looked up by that. */
function writesOf(match: string): Readonly<Partial<Record<Operation, Settling>>> {
  const byId = { update: 'upsert', delete: 'upsert' } as const;
  return match === 'Id' ? byId : { upsert: 'upsert', ...byId, create: 'lookup' };
}

function matchOf(request: ApplicationRequest, name: string): string {
  const [match, ...others] = request.match;
  if (others.length === 0 && match?.toLowerCase() === 'id') return 'Id';
  if (others.length === 0) return match ?? 'Id';
  throw new MillraceError('config', `connection ${name}: Salesforce finds an object by one field, not by ${request.match.join(', ')}`);
}

/** Names of objects and fields are part of queries and addresses. */
function checkName(text: string, name: string): string {
  if (/^\w+$/.test(text)) return text;
  throw new MillraceError('config', `connection ${name}: ${JSON.stringify(text)} is not the API name of an object or field of Salesforce`);
}

/** How much of the day's requests an org has used, when that is nearly all of them. */
function usageWarnings(header: string | undefined): readonly string[] {
  const [, used, most] = /api-usage=(\d+)\/(\d+)/.exec(header ?? '') ?? [];
  if (used === undefined || Number(used) < Number(most) * 0.8) return [];
  return [`${used} of the ${most} API requests of the last 24 hours are used; syncs wait when they are used up`];
}

async function check(org: Org, settings: SalesforceSettings, attempt: Attempt): Promise<CheckReport> {
  const system = `Salesforce ${org.path.split('/').at(-1)} at ${new URL(settings.url).host}`;
  try {
    const answer = await ask(org, { method: 'GET', path: 'sobjects', repeatable: true }, attempt);
    return { system, problems: [], warnings: usageWarnings(answer.headers['sforce-limit-info']) };
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return { system, problems: [error.message], warnings: [] };
  }
}

function openOrg(settings: SalesforceSettings, name: string, request: ApplicationRequest, context: ApplicationContext): Org {
  const { allow_private, rate, concurrency, daily, request_timeout = defaultTimeout } = settings;
  const given = Object.entries({ allow_private, rate, concurrency, daily }).filter(([, value]) => value !== undefined);
  const client = createHttpClient({
    name,
    baseUrl: settings.url,
    settings: { ...Object.fromEntries(given), request_timeout, auth: authOf(settings) },
    context,
    throttled: throttledFor,
  });
  return {
    name,
    path: `/services/data/${settings.api_version ?? 'v62.0'}`,
    object: checkName(request.object, name),
    match: checkName(matchOf(request, name), name),
    client,
  };
}

function limitsOf({ client: { requestTimeout } }: Org, hasJobs: boolean): ApplicationLimits {
  // A batch may need a look-up and two writes; the last one begins within the time of one request.
  const both = { concurrency: 4, requestTimeout: 2 * requestTimeout };
  if (!hasJobs) return { ...both, batchRows: collectionRows, batchBytes: collectionBytes };
  return { ...both, batchRows: jobRows, batchBytes: jobBytes, jobs: 10 };
}

/** Opens an object of a Salesforce org. */
export async function openSalesforce(
  settings: SalesforceSettings,
  name: string,
  request: ApplicationRequest,
  context: ApplicationContext,
): Promise<Application> {
  const org = openOrg(settings, name, request, context);
  const { bulk = 'auto' } = salesforceWriteOptions.parse(request.write);
  const hasJobs = bulk === 'always' || (bulk === 'auto' && (request.rows ?? 0) >= bulkFrom);
  // Requests that are only shown get no answers to read fields from.
  const fieldsOf = context.transport === undefined ? rememberFields(org) : async () => new Map<string, SalesforceField>();
  return {
    limits: limitsOf(org, hasJobs),
    identity: new URL(settings.url).origin,
    writes: writesOf(org.match),
    changedOnly: false,
    check: async (attempt) => await check(org, settings, attempt),
    objects: async (attempt) => await listObjects(org, attempt),
    describe: async (attempt) => await describeObject(org, request.fields, attempt),
    send: async (batch, attempt) => {
      const { operation, rows } = batch;
      const fields = await fieldsOf(attempt);
      // A rest of few rows is not worth a job.
      if (bulk === 'always' || (hasJobs && rows.length > collectionRows)) return await startJob(org, fields, batch, attempt);
      if (operation === 'create' || operation === 'upsert') return await write(org, fields, operation, rows, attempt);
      if (operation === 'update' || operation === 'delete') return await writeById(org, fields, operation, rows, attempt);
      throw new MillraceError('config', `connection ${name}: Salesforce has no operation ${operation}`);
    },
    poll: async (jobs, attempt) => {
      const fields = await fieldsOf(attempt);
      return await Promise.all(jobs.map(async ({ handle, batch }) => await pollJob(org, fields, handle, batch, attempt)));
    },
    find: async (rows, attempt) => (await findIds(org, await fieldsOf(attempt), rows, attempt)).map(([id]) => id),
    [Symbol.asyncDispose]: async () => await org.client[Symbol.asyncDispose](),
  };
}
