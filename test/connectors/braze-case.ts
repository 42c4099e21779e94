import type { Application, ApplicationRequest } from '../../connectors/application.ts';
import { braze } from '../../connectors/braze/index.ts';
import { Braze, type BrazeOptions } from '../fakes/braze.ts';
import { type Fake, startFake } from '../fakes/fake.ts';
import type { ApplicationCase, Opening, RowValues } from '../kits/application-case.ts';
import { memoryContext } from '../kits/memory-stores.ts';

/** A Braze on loopback with what tests put into it. */
export interface BrazeSystem extends AsyncDisposable {
  readonly fake: Fake;
  readonly vendor: Braze;
}

export const group = 'b1fa7cc8-0c2b-4c4a-9f5e-0a4b0ac9f6b1';

export async function startBraze(options: BrazeOptions = {}): Promise<BrazeSystem> {
  const vendor = new Braze({ subscriptionGroups: [group], ...options });
  const fake = await startFake(vendor);
  return { fake, vendor, [Symbol.asyncDispose]: async () => await fake[Symbol.asyncDispose]() };
}

/** Opens an object with the settings of a project file. */
export async function openBraze(
  { fake, vendor }: BrazeSystem,
  request: Partial<ApplicationRequest>,
  { context = memoryContext(), wrongCredential = false }: Partial<Opening> = {},
): Promise<Application> {
  const key = wrongCredential ? 'wrong-key' : vendor.apiKey;
  const settings = braze.settings.parse({ type: 'braze', url: fake.url, api_key: key, allow_private: true, request_timeout: '2s' });
  const whole = { object: 'users', match: ['external_id'], fields: [], write: {}, ...request };
  if (braze.openApplication === undefined) throw new Error('braze is no application');
  return await braze.openApplication(settings, 'messages', whole, context);
}

/** What the three kinds of objects have in common as cases of the conformance kit. */
export const brazeCase = {
  start: async () => await startBraze(),
  open: async (system: BrazeSystem, opening: Opening) => await openBraze(system, opening.request, opening),
  secrets: ['braze-key', 'wrong-key'],
  missing: { object: 'user', nearest: 'users' },
} satisfies Partial<ApplicationCase<BrazeSystem>>;

export const brazeHttp = {
  fake: ({ fake }: BrazeSystem) => fake,
  isWrite: (request: { readonly method: string }) => request.method === 'POST',
  throttled: (wait: number) => new Braze().throttled(wait),
  wholeRefusal: { status: 400, body: { message: 'The request is not valid' } },
};

/** The profile that has an external id. */
export const profile = ({ vendor }: BrazeSystem, { match }: RowValues): Readonly<Record<string, unknown>> | undefined =>
  vendor
    .records()
    .get('users')
    ?.find((user) => user['external_id'] === match['external_id']);
