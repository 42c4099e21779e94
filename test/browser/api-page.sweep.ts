import assert from 'node:assert/strict';
import type { TestGateway } from '../gateway-kit.ts';
import { openRestGateway } from '../gateway/rest-kit.ts';
import { noBrowser, openBrowser, type OpenPage } from './browser-kit.ts';

describe(`API page in a browser${noBrowser === undefined ? '' : `, left out: ${noBrowser}`}`, function () {
  this.timeout(120_000);
  let gateway: TestGateway;
  let browser: OpenPage;
  const asked: string[] = [];
  const told: string[] = [];

  before(async function () {
    if (noBrowser !== undefined) this.skip();
    gateway = await openRestGateway();
    browser = await openBrowser(gateway.address);
    browser.page.on('request', (request) => asked.push(request.url()));
    browser.page.on('console', (message) => {
      // Before a token is given, the document is refused.
      if (!message.text().includes('401 (Unauthorized)')) told.push(message.text());
    });
  });
  after(async () => {
    if (noBrowser !== undefined) return;
    await browser[Symbol.asyncDispose]();
    await gateway[Symbol.asyncDispose]();
  });

  it('shows the API of a token and tries it, with files of the gateway alone', async () => {
    const { page } = browser;
    await browser.open('/docs');
    await page.getByText('Give a token to see the API.').waitFor();
    await page.fill('#token', await gateway.token({ role: 'analyst' }));
    await page.click('#who button');
    await page.locator('#operations-seats-list_seats').click();
    await page.getByRole('button', { name: 'Try it out' }).click();
    await page.getByRole('button', { name: 'Execute' }).click();
    const answer = page.locator('.live-responses-table');
    await answer.getByText('"a/b"').first().waitFor();
    assert.match(await answer.innerText(), /200/);
    const outside = asked.filter((url) => !url.startsWith(gateway.address) && !/^(blob|data):/.test(url));
    assert.deepEqual([browser.errors, outside, told], [[], [], []]);
    assert.equal(await page.locator('.errors-wrapper').count(), 0);
    assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0);
  });
});
