import assert from 'node:assert/strict';
import { startHubspot } from './hubspot.ts';
import { startPage } from './page.ts';

describe('the page of the fake applications', () => {
  it('shows records, effects and how to connect, with everything escaped', async () => {
    await using fake = await startHubspot();
    fake.seed('contacts', { email: 'a@example.com', firstname: '<script>alert(1)</script>' });
    await fetch(`${fake.url}/crm/v3/objects/contacts/batch/create`, {
      method: 'POST',
      headers: { authorization: 'Bearer pat-fake', 'content-type': 'application/json' },
      body: JSON.stringify({ inputs: [{ properties: { email: 'b@example.com' } }] }),
    });
    const connection = { type: 'hubspot', url: fake.url, token: '${env:HUBSPOT_TOKEN}' };
    await using page = await startPage([{ fake, connection, secrets: { HUBSPOT_TOKEN: 'pat-fake' } }]);
    const answer = await fetch(page.url);
    const text = await answer.text();
    assert.ok(text.includes('&lt;script&gt;alert(1)&lt;/script&gt;') && !text.includes('<script>alert'));
    assert.match(text, /<i class="create">create<\/i><\/td><td>contacts<\/td><td>b@example.com/);
    assert.match(text, /POST \/crm\/v3\/objects\/contacts\/batch\/create/);
    assert.ok(text.includes('token: &#39;${env:HUBSPOT_TOKEN}&#39;'));
    assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  });
});
