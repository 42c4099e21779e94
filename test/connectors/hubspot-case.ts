import type { Application } from '../../connectors/application.ts';
import { connectorOf } from '../../connectors/registry.ts';
import { startHubspot, type HubspotFake } from '../fakes/hubspot.ts';
import type { FakeObjectType } from '../fakes/hubspot-records.ts';
import type { Opening } from '../kits/application-case.ts';

/** Token of the private app. */
export const secret = 'pat-na1-3d1f-secret';

const subscriptions: FakeObjectType = {
  name: 'subscriptions',
  id: '2-3456',
  key: 'subscription_no',
  required: ['subscription_no'],
  properties: [
    { name: 'hs_object_id', type: 'number', readOnly: true },
    { name: 'subscription_no', type: 'string', unique: true },
    { name: 'seats', type: 'number' },
    { name: 'state', type: 'enumeration', options: ['active', 'cancelled'] },
  ],
};

export const start = (): Promise<HubspotFake> => startHubspot({ token: secret, custom: [subscriptions] });

export function settingsOf(fake: HubspotFake, token = secret): Record<string, unknown> {
  return { type: 'hubspot', token, url: fake.url, allow_private: true, request_timeout: '5s', rate: '10000 per 1s' };
}

export const open = (fake: HubspotFake, { request, context, wrongCredential }: Opening): Promise<Application> =>
  connectorOf('hubspot', 'crm').openApplication(settingsOf(fake, wrongCredential ? `${secret}-wrong` : secret), 'crm', request, context);
