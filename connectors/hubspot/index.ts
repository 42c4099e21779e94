import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';
import type { Application, ApplicationContext, ApplicationRequest } from '../application.ts';
import type { Attempt, CheckReport, Connector } from '../connector.ts';
import { ask, openAccount, parse, type Account } from './account.ts';
import { associations } from './associations.ts';
import { listMembers } from './lists.ts';
import type { HubspotObject } from './object.ts';
import { objectNames } from './object-type.ts';
import { records } from './records.ts';
import { hubspotSettings, hubspotWriteOptions, type HubspotSettings } from './settings.ts';

const details = z.looseObject({ portalId: z.number(), accountType: z.string().optional() });

function objectOf(account: Account, request: ApplicationRequest): HubspotObject {
  const options = hubspotWriteOptions.safeParse(request.write);
  if (!options.success)
    throw new MillraceError(
      'config',
      `connection ${account.name}: write: ${options.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')}`,
    );
  const { gdpr_delete: gdprDelete = false, association_type: label } = options.data;
  const [first, second, third, ...rest] = request.object.split('/');
  const object = { account, request };
  if (second === undefined) return records(object, gdprDelete);
  if (first === 'lists' && second !== '' && third === undefined) return listMembers(object, second);
  if (first === 'associations' && third !== undefined && rest.length === 0) return associations(object, [second, third], label);
  throw new MillraceError(
    'not-found',
    `connection ${account.name}: there is no object ${request.object}; an object is contacts, another type's name or id, lists/<id> or associations/<from>/<to>`,
  );
}

/** Problems that the settings or the account can mend; anything else is thrown. */
function problemOf(error: unknown): string {
  if (error instanceof MillraceError && ['auth', 'config', 'not-found', 'rejected'].includes(error.code)) return error.message;
  throw error;
}

async function check(account: Account, object: HubspotObject, attempt: Attempt): Promise<CheckReport> {
  try {
    const answer = await ask(account, { method: 'GET', path: '/account-info/v3/details', repeatable: true }, [], attempt);
    const { portalId, accountType } = parse(account, details, answer);
    const system = `HubSpot account ${portalId}${accountType === undefined ? '' : ` (${accountType.toLowerCase()})`}`;
    const found = await object.check(attempt).catch((error: unknown) => ({ problems: [problemOf(error)], warnings: [] }));
    return { system, ...found };
  } catch (error) {
    return { system: 'HubSpot', problems: [problemOf(error)], warnings: [] };
  }
}

/** Locks of HubSpot and the search beside it make more requests at once no faster. */
const concurrency = 8;
/** Far below what a request may hold. */
const batchBytes = 2_000_000;

/** Under another label an association is another one. */
function identityOf(url: string, { write }: ApplicationRequest): string {
  const { association_type: label } = hubspotWriteOptions.parse(write);
  const { origin } = new URL(url);
  return label === undefined ? origin : `${origin}, label ${label.category ?? 'USER_DEFINED'} ${label.id}`;
}

async function openApplication(
  settings: HubspotSettings,
  name: string,
  request: ApplicationRequest,
  context: ApplicationContext,
): Promise<Application> {
  const account = openAccount(settings, name, context);
  const object = objectOf(account, request);
  const { client } = account;
  const { rate } = client.limits;
  return {
    limits: {
      batchRows: object.batchRows,
      batchBytes,
      concurrency: client.limits.concurrency ?? concurrency,
      requestTimeout: client.requestTimeout * (object.looksUp ? 2 : 1),
      ...(rate === undefined ? {} : { rate }),
    },
    identity: identityOf(account.url, request),
    writes: object.writes,
    changedOnly: false,
    check: (attempt) => check(account, object, attempt),
    objects: (attempt) => objectNames(account, attempt),
    describe: (attempt) => object.describe(attempt),
    send: (batch, attempt) => object.send(batch, attempt),
    ...(object.find === undefined ? {} : { find: object.find }),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

/** HubSpot: records, associations and lists, by the batch APIs of its CRM. */
export const hubspot: Connector<HubspotSettings> = {
  type: 'hubspot',
  settings: hubspotSettings,
  writeOptions: hubspotWriteOptions,
  openApplication,
};
