import assert from 'node:assert/strict';
import type { ApplicationRequest } from '../../connectors/application.ts';
import { connectorOf } from '../../connectors/registry.ts';
import { memoryContext } from '../kits/memory-stores.ts';

const secret = 'not-to-be-shown';

describe('where an application writes to', () => {
  const identityOf = async (settings: Record<string, unknown>, more: Partial<ApplicationRequest> = {}): Promise<string> => {
    const request: ApplicationRequest = { object: 'users', match: ['email'], fields: [], write: {}, ...more };
    const { type } = settings as { type: string };
    await using application = await connectorOf(type, 'app').openApplication(settings, 'app', request, memoryContext());
    assert.ok(!application.identity.includes(secret));
    return application.identity;
  };

  it('is the address of the account, and a label of associations', async () => {
    assert.equal(await identityOf({ type: 'hubspot', token: secret }, { object: 'contacts' }), 'https://api.hubapi.com');
    const labelled = { object: 'associations/contacts/companies', write: { association_type: { id: 7 } }, match: ['from', 'to'] };
    assert.equal(await identityOf({ type: 'hubspot', token: secret }, labelled), 'https://api.hubapi.com, label USER_DEFINED 7');
    const zendesk = { type: 'zendesk', url: 'https://acme.zendesk.com/', email: 'a@acme.com', api_token: secret };
    assert.equal(await identityOf(zendesk), 'https://acme.zendesk.com');
    const auth = { type: 'client-credentials', client_id: 'c', client_secret: secret };
    const salesforce = { type: 'salesforce', url: 'https://acme.my.salesforce.com', auth };
    assert.equal(await identityOf(salesforce, { object: 'Contact', match: ['Email__c'] }), 'https://acme.my.salesforce.com');
  });

  it('is another one for other events, and for other labels of aliases', async () => {
    const braze = { type: 'braze', url: 'https://rest.iad-01.braze.com', api_key: secret };
    const at = { object: 'events', match: ['external_id'], write: { event: 'bought' } };
    assert.equal(await identityOf(braze, at), 'https://rest.iad-01.braze.com, event bought');
    const aliases = { match: ['user_alias'], write: { alias_label: 'shop' } };
    assert.equal(await identityOf(braze, aliases), 'https://rest.iad-01.braze.com, aliases shop');
  });

  it('is server and database, or folder', async () => {
    const url = `postgres://ada:${secret}@db.example.com/app?sslmode=disable`;
    assert.equal(await identityOf({ type: 'postgres', url }, { object: 'public.users' }), 'db.example.com:5432/app');
    assert.equal(await identityOf({ type: 'files', path: '/srv/../srv/exports' }), '/srv/exports');
  });

  it('has options that are part of addresses, and tells paths apart without showing them', async () => {
    const operations = { upsert: { method: 'PUT', path: '/spaces/{{ write.space }}/users/{{ match.email }}', settles: 'upsert' } };
    const options = { space: { description: 'The space.' }, tone: { description: 'The tone.' } };
    const http = (url: string) => ({ type: 'http', url, objects: { users: { options, operations } } });
    const write = { space: 'a', tone: 'mild' };
    assert.equal(await identityOf(http('https://api.example.com'), { write }), 'https://api.example.com, space a');
    const one = await identityOf(http(`https://api.example.com/${secret}/1`), { write });
    assert.match(one, /^https:\/\/api\.example\.com, path [0-9a-f]{8}, space a$/);
    assert.notEqual(await identityOf(http(`https://api.example.com/${secret}/2`), { write }), one);
  });
});
