import { closest } from 'fastest-levenshtein';
import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';
import type { Application, ApplicationContext, ApplicationRequest, Batch } from '../application.ts';
import type { Attempt, CheckReport } from '../connector.ts';
import { createHttpClient } from '../http/http-client.ts';
import type { AuthSettings } from '../http/settings.ts';
import { type Account, ask } from './account.ts';
import { describeKind } from './describe.ts';
import { pollJobs, startJobs } from './jobs.ts';
import { type Kind, kinds } from './kind.ts';
import { findIds } from './lookup.ts';
import { looksUp, planOf, type Writing } from './plan.ts';
import { zendeskWriteOptions, type ZendeskSettings } from './settings.ts';

const me = z.looseObject({ user: z.looseObject({ id: z.number().nullish(), role: z.string().nullish() }) });

/** Jobs of an account that may be queued or running: https://developer.zendesk.com/api-reference/introduction/rate-limits/ */
const jobsTogether = 30;

function authOf({ email = '', api_token: token = '', oauth_token: oauth }: ZendeskSettings): AuthSettings {
  if (oauth !== undefined) return { type: 'bearer', token: oauth };
  return { type: 'basic', user: `${email}/token`, password: token };
}

/** The kind of object, and how it is found. */
interface Opened {
  readonly name: string;
  readonly request: ApplicationRequest;
  readonly verifyEmail: boolean;
}

function kindOf({ name, request }: Opened): Kind {
  const kind = Object.hasOwn(kinds, request.object) ? kinds[request.object] : undefined;
  if (kind !== undefined) return kind;
  const nearest = closest(request.object, Object.keys(kinds));
  throw new MillraceError('not-found', `connection ${name}: Zendesk has no ${request.object} to write; the nearest name is ${nearest}`);
}

function writingOf(opened: Opened): Writing {
  const kind = kindOf(opened);
  const { match: fields } = opened.request;
  const [match] = fields;
  if (match !== undefined && fields.length === 1 && kind.matches.includes(match)) return { kind, match, verifyEmail: opened.verifyEmail };
  const sentence = `${kind.plural} are matched by exactly one of ${kind.matches.join(', ')}`;
  throw new MillraceError('config', `connection ${opened.name}: ${sentence}, not by ${fields.join(', ') || 'nothing'}`);
}

/** By its own id nothing can be created. */
function writesOf({ object, match }: ApplicationRequest): Application['writes'] {
  if (!Object.hasOwn(kinds, object)) return {};
  const known = { update: 'upsert', delete: 'upsert' } as const;
  return match.includes('id') ? known : { create: 'lookup', upsert: 'upsert', ...known };
}

/** Opens users or organizations of an account. */
export async function openApplication(
  settings: ZendeskSettings,
  name: string,
  request: ApplicationRequest,
  context: ApplicationContext,
): Promise<Application> {
  const options = zendeskWriteOptions.safeParse(request.write);
  if (!options.success) {
    const found = options.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw new MillraceError('config', `connection ${name}: write: ${found}`);
  }
  const client = createHttpClient({
    name,
    baseUrl: settings.url,
    settings: { ...settings, auth: authOf(settings) },
    context,
    limits: { rate: { requests: 400, per: 60_000 } },
    requestIdHeaders: ['x-zendesk-request-id', 'x-request-id'],
  });
  const account = { name, client };
  const opened = { name, request, verifyEmail: options.data.verify_email ?? false };
  const { rate } = client.limits;
  return {
    limits: {
      batchRows: 100,
      batchBytes: 2_000_000,
      concurrency: client.limits.concurrency ?? 4,
      jobs: jobsTogether,
      // Look-ups may take as long as the request that follows them.
      requestTimeout: 2 * client.requestTimeout,
      ...(rate === undefined ? {} : { rate }),
    },
    identity: new URL(settings.url).origin,
    writes: writesOf(request),
    changedOnly: false,
    check: async (attempt) => await check(account, opened, attempt),
    objects: async () => Object.keys(kinds),
    describe: async (attempt) => ({ fields: await describeKind(account, kindOf(opened), attempt), closed: true }),
    send: async (batch, attempt) => await send(account, writingOf(opened), batch, attempt),
    poll: async (jobs, attempt) => await pollJobs(account, jobs, writingOf(opened), attempt),
    find: async (rows, attempt) => {
      const { kind, match } = writingOf(opened);
      return await findIds(account, kind, match, rows, attempt);
    },
    [Symbol.asyncDispose]: async () => await client[Symbol.asyncDispose](),
  };
}

async function send(account: Account, writing: Writing, batch: Batch, attempt: Attempt): ReturnType<Application['send']> {
  const began = performance.now();
  const ids = looksUp(batch, writing) ? await findIds(account, writing.kind, writing.match, batch.rows, attempt) : [];
  if (performance.now() - began > account.client.requestTimeout) {
    throw new MillraceError('unavailable', `connection ${account.name}: looking up what is there took too long; nothing was sent`);
  }
  return await startJobs(account, planOf(batch, writing, ids), batch, writing, attempt);
}

async function check(account: Account, opened: Opened, attempt: Attempt): Promise<CheckReport> {
  const problems: string[] = [];
  const note = (error: unknown): void => {
    if (!(error instanceof MillraceError) || !['auth', 'config', 'not-found'].includes(error.code)) throw error;
    problems.push(error.message);
  };
  try {
    const { user } = await ask(account, { method: 'GET', path: 'api/v2/users/me.json', repeatable: true }, me, attempt);
    if (user.id === undefined || user.id === null)
      problems.push(`connection ${account.name}: Zendesk does not know the agent of the connection`);
    else if (user.role === 'end-user')
      problems.push(`connection ${account.name}: its user is an end user; writing needs an agent or admin`);
  } catch (error) {
    note(error);
  }
  try {
    writingOf(opened);
  } catch (error) {
    note(error);
  }
  return { system: 'Zendesk Support', problems, warnings: [] };
}
