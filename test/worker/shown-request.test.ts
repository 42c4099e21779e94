import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Explanation } from '../../schema/sync-books.ts';
import { openDependencies } from '../../worker/dependencies.ts';
import { requestsOf, type ShownRequest } from '../../worker/shown-request.ts';
import { attempt } from '../kits/loads.ts';
import { defineSync } from '../kits/sync-definition.ts';

const environment = { CRM_URL: 'https://api.example.com/hidden', CRM_TOKEN: 'pat-hunter2' };

const planned: Explanation = {
  key: 'ada@example.org',
  verdict: '',
  model: {},
  acknowledged: null,
  open: null,
  planned: {
    key: 'ada@example.org',
    change: 'added',
    operation: 'create',
    values: { email: 'ada@example.org', plan: 'free' },
    changed: null,
  },
  log: [],
};

describe('the request of a row', () => {
  let staging: string;

  before(async () => {
    staging = await mkdtemp(join(tmpdir(), 'millrace-shown-'));
  });
  after(() => rm(staging, { recursive: true, force: true }));

  async function requests(url: string, explanation = planned): Promise<readonly ShownRequest[]> {
    const sync = defineSync({
      to: { name: 'crm', type: 'hubspot', settings: { type: 'hubspot', url, token: '${env:CRM_TOKEN}' } },
      object: 'contacts',
      match: [{ column: 'email', field: 'email' }],
      map: [{ column: 'plan', field: 'plan', whenNull: 'clear' }],
      mode: 'insert',
    });
    const dependencies = await openDependencies({ staging, environment });
    return await requestsOf(dependencies, sync, explanation, attempt());
  }

  it('is shown with its scheme and host, also where its address comes from a variable; without credentials', async () => {
    const [given] = await requests('https://api.hubapi.com');
    assert.match(given?.url ?? '', /^https:\/\/api\.hubapi\.com\/crm/);
    const shown = await requests('${env:CRM_URL}');
    assert.match(shown[0]?.url ?? '', /^https:\/\/api\.example\.com\/\*\*\*\/crm/);
    assert.match(shown[0]?.body ?? '', /"email":"ada@example\.org"/);
    assert.doesNotMatch(JSON.stringify(shown), /hidden|hunter2/);
  });

  it('is none where nothing would be sent', async () => {
    assert.deepEqual(await requests('${env:CRM_URL}', { ...planned, planned: null }), []);
  });
});
