import assert from 'node:assert/strict';
import { until } from '../gateway-kit.ts';
import { openShop, type Shop } from '../gateway/graphql-kit.ts';
import { noBrowser, openBrowser, type OpenPage } from './browser-kit.ts';

describe(`GraphiQL in a browser${noBrowser === undefined ? '' : `, left out: ${noBrowser}`}`, function () {
  this.timeout(120_000);
  let shop: Shop;
  let browser: OpenPage;
  const asked: string[] = [];
  const said: string[] = [];

  before(async function () {
    if (noBrowser !== undefined) this.skip();
    shop = await openShop();
    browser = await openBrowser(shop.address);
    browser.page.on('request', (request) => asked.push(request.url()));
    browser.page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') said.push(message.text());
    });
  });
  after(async () => {
    if (noBrowser !== undefined) return;
    await browser[Symbol.asyncDispose]();
    await shop[Symbol.asyncDispose]();
  });

  const outside = (): readonly string[] => asked.filter((url) => !url.startsWith(shop.address) && !/^(blob|data):/.test(url));

  /** The editor's spaces don't break. */
  const shows = async (text: string): Promise<void> => {
    await until(async () => (await browser.page.locator('body').innerText()).replaceAll('\u00a0', ' ').includes(text));
  };

  it('loads from the gateway alone, and nothing goes wrong in it', async () => {
    await browser.open('/graphql');
    await shows('Give a token under');
    assert.deepEqual([browser.errors, said, outside()], [[], [], []]);
  });

  it('shows data once it has a token', async () => {
    const { page } = browser;
    const token = await shop.token({ role: 'analyst' });
    const write = async (editor: string, text: string): Promise<void> => {
      await page.locator(`${editor} .view-lines:visible`).first().click();
      await page.keyboard.press('Control+A');
      await page.keyboard.press('Delete');
      await page.keyboard.insertText(text);
    };
    await write('.graphiql-editor-tool', JSON.stringify({ Authorization: `Bearer ${token}` }));
    await write('.graphiql-query-editor', '{ customers(first: 1) { nodes { name } } }');
    await page.locator('.graphiql-execute-button').click();
    await shows('Name 1');
    await browser.screenshot('graphiql');
    assert.deepEqual([browser.errors, said, outside()], [[], [], []]);
  });
});
