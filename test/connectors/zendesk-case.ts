import type { Application, ApplicationRequest } from '../../connectors/application.ts';
import { zendesk } from '../../connectors/zendesk/index.ts';
import { type Fake, startFake } from '../fakes/fake.ts';
import { Zendesk, type ZendeskOptions } from '../fakes/zendesk.ts';
import type { ApplicationCase, Opening, RowValues } from '../kits/application-case.ts';
import { memoryContext } from '../kits/memory-stores.ts';

/** A Zendesk on loopback with what tests put into it. */
export interface ZendeskSystem extends AsyncDisposable {
  readonly fake: Fake;
  readonly vendor: Zendesk;
}

export async function startZendesk(options: ZendeskOptions = {}): Promise<ZendeskSystem> {
  const vendor = new Zendesk(options);
  const fake = await startFake(vendor);
  return { fake, vendor, [Symbol.asyncDispose]: async () => await fake[Symbol.asyncDispose]() };
}

/** Opens an object with the settings of a project file. */
export async function openZendesk(
  { fake, vendor }: ZendeskSystem,
  request: Partial<ApplicationRequest>,
  { context = memoryContext(), wrongCredential = false }: Partial<Opening> = {},
  credential: object = { email: vendor.email, api_token: wrongCredential ? 'wrong-token' : vendor.token },
): Promise<Application> {
  const parts = { allow_private: true, request_timeout: '2s', rate: '1000 per 1s' };
  const settings = zendesk.settings.parse({ type: 'zendesk', url: fake.url, ...parts, ...credential });
  const whole = { object: 'users', match: ['external_id'], fields: [], write: {}, ...request };
  if (zendesk.openApplication === undefined) throw new Error('zendesk is no application');
  return await zendesk.openApplication(settings, 'support', whole, context);
}

/** What both kinds of objects have in common as cases of the conformance kit. */
export const zendeskCase = {
  start: async () => await startZendesk(),
  open: async (system: ZendeskSystem, opening: Opening) => await openZendesk(system, opening.request, opening),
  secrets: ['zendesk-token', 'wrong-token'],
  loseJob: ({ vendor }: ZendeskSystem, handle: string) => {
    const { jobs } = JSON.parse(handle) as { readonly jobs: readonly { readonly id: string }[] };
    vendor.jobs.expire(jobs.map(({ id }) => id));
  },
} satisfies Partial<ApplicationCase<ZendeskSystem>>;

export const zendeskHttp = {
  fake: ({ fake }: ZendeskSystem) => fake,
  isWrite: (request: { readonly method: string }) => request.method !== 'GET',
  throttled: (wait: number) => new Zendesk().throttled(wait),
  wholeRefusal: { status: 422, body: { error: 'RecordInvalid', description: 'Record validation errors' } },
};

/** The object that has a field's value. */
export const stored = (
  { vendor }: ZendeskSystem,
  object: string,
  match: RowValues['match'],
): Readonly<Record<string, unknown>> | undefined => {
  const [[field, value] = []] = Object.entries(match);
  return vendor
    .records()
    .get(object)
    ?.find((one) => field !== undefined && one[field] === value);
};
