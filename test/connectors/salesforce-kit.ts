import { salesforce } from '../../connectors/salesforce/index.ts';
import type { SalesforceSettings } from '../../connectors/salesforce/settings.ts';
import type { Application, ApplicationContext, ApplicationRequest, OutgoingRow } from '../../connectors/application.ts';
import type { FieldValue } from '../../schema/value.ts';
import { startFake, type Fake } from '../fakes/fake.ts';
import { Salesforce, salesforceApp } from '../fakes/salesforce.ts';
import { outgoing, type Opening, type RowValues } from '../kits/application-case.ts';
import { memoryContext } from '../kits/memory-stores.ts';

/** A fake org with what is behind its API. */
export interface SalesforceOrg extends AsyncDisposable {
  readonly fake: Fake;
  readonly vendor: Salesforce;
}

export async function startOrg(): Promise<SalesforceOrg> {
  const vendor = new Salesforce();
  const fake = await startFake(vendor);
  return { fake, vendor, [Symbol.asyncDispose]: async () => await fake[Symbol.asyncDispose]() };
}

/** Settings of a connection to a fake org. */
export function settingsFor({ fake }: SalesforceOrg, change: Partial<SalesforceSettings> = {}): SalesforceSettings {
  const { clientId: client_id, clientSecret: client_secret } = salesforceApp;
  const auth = { type: 'client-credentials', client_id, client_secret } as const;
  return { type: 'salesforce', url: fake.url, auth, allow_private: true, request_timeout: '5s', ...change };
}

export interface Opened {
  readonly settings?: Partial<SalesforceSettings>;
  readonly request?: Partial<ApplicationRequest>;
  readonly context?: ApplicationContext;
}

/** Opens `Account` by `External__c`, as jobs or as collections. */
export async function openOrg(org: SalesforceOrg, { settings, request, context = memoryContext() }: Opened = {}): Promise<Application> {
  const asked = { object: 'Account', match: ['External__c'], fields: ['Name'], write: {}, ...request };
  return (await salesforce.openApplication?.(settingsFor(org, settings), 'crm', asked, context)) as Application;
}

/** How the conformance kit opens an org. */
export async function openCase(org: SalesforceOrg, { request, context, wrongCredential }: Opening): Promise<Application> {
  const { clientId: client_id } = salesforceApp;
  const wrong = { auth: { type: 'client-credentials', client_id, client_secret: wrongSecret } } as const;
  return await openOrg(org, { settings: wrongCredential ? wrong : {}, request, context });
}
export const wrongSecret = 'not-the-secret-55d1';

/** The row of a number, in a version. */
export const account = (no: number, version: number): RowValues => ({
  match: { External__c: `ext-${no}` },
  fields: { Name: `Account ${no} v${version}`, Tier__c: version % 2 === 0 ? 'gold' : 'silver', AnnualRevenue: no * 10 + version },
});

/** A row of accounts as the send engine would make it. */
export function row(no: number, fields: Readonly<Record<string, FieldValue>> = {}, change: Partial<OutgoingRow> = {}): OutgoingRow {
  return { ...outgoing(no, { match: { External__c: `ext-${no}` }, fields: { Name: `Account ${no}`, ...fields } }), ...change };
}

/** Puts an account into the org past its API; its id. */
export const addAccount = (org: SalesforceOrg, no: number, values: Readonly<Record<string, unknown>> = {}): string =>
  org.vendor.store.add('Account', { External__c: `ext-${no}`, Name: `Account ${no}`, ...values });

/** What the org has of an account. */
export const accountOf = (org: SalesforceOrg, no: number): Readonly<Record<string, unknown>> | undefined =>
  org.vendor.store.find('Account', 'External__c', `ext-${no}`)[0];
