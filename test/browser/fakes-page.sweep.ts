import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { noBrowser, openBrowser, type OpenPage } from './browser-kit.ts';

const names = ['hubspot', 'salesforce', 'braze', 'zendesk', 'mailchimp', 'intercom'];

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** A port that is free, as those are that follow it: one for each fake. */
async function freePorts(): Promise<number> {
  for (let port = 24_700; port < 32_000; port += 100) {
    const free = await Promise.all(['page', ...names].map((_, no) => isFree(port + no)));
    if (free.every(Boolean)) return port;
  }
  throw new Error('no free ports');
}

describe(`the page of npm run fakes${noBrowser === undefined ? '' : `, left out: ${noBrowser}`}`, function () {
  this.timeout(60_000);
  let port: number;
  let fakes: ChildProcess;
  let page: OpenPage;
  let printed = '';

  before(async function () {
    if (noBrowser !== undefined) this.skip();
    port = await freePorts();
    fakes = spawn(process.execPath, ['--import', 'tsx', 'test/fakes/main.ts', String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
    assert.ok(fakes.stdout);
    for await (const line of createInterface({ input: fakes.stdout })) {
      printed += `${line}\n`;
      if (line.startsWith('Ctrl-C')) break;
    }
    page = await openBrowser(/http:\S+(?=\/$)/m.exec(printed)?.[0] ?? '');
    await page.open('/');
  });

  after(async () => {
    if (noBrowser !== undefined) return;
    await page[Symbol.asyncDispose]();
    const exit = once(fakes, 'exit');
    fakes.kill('SIGTERM');
    assert.deepEqual(await exit, [0, null]);
  });

  afterEach(() => assert.deepEqual(noBrowser === undefined ? page.errors : [], [], 'the page has thrown'));

  async function contact(properties: Readonly<Record<string, string>>): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${port + 1}/crm/v3/objects/contacts/batch/create`, {
      method: 'POST',
      headers: { authorization: 'Bearer pat-fake', 'content-type': 'application/json' },
      body: JSON.stringify({ inputs: [{ properties }] }),
    });
    assert.equal(answer.status, 201, await answer.text());
  }

  it('lists every fake, with what the project file and the shell need', async () => {
    for (const [no, name] of names.entries()) {
      const section = page.page.locator(`section#${name}`);
      assert.match((await section.locator('h2').textContent()) ?? '', new RegExp(`${name}\\s+http://127\\.0\\.0\\.1:${port + no + 1}$`));
      const connect = (await section.locator('pre').innerText()).trim().split('\n');
      assert.equal(connect.length, 2, connect.join('\n'));
      for (const line of connect) assert.ok(printed.includes(line), line);
      await page.page.locator(`nav a[href="#${name}"]`).click();
    }
    assert.equal(await page.page.locator('section').count(), names.length);
    await page.screenshot('fakes');
  });

  it('refreshes by itself, and shows what applications hold as text', async () => {
    await page.page.evaluate(`document.body.dataset.kept = 'yes'`);
    const script = `<script>document.title='owned'</script>`;
    const image = `<img src=x onerror="document.title='owned'"> &amp;`;
    await contact({ email: 'ada@example.org', firstname: script, lastname: image });
    await page.shows('ada@example.org');
    const section = page.page.locator('section#hubspot');
    await section
      .locator('td', { hasText: script.slice(0, 40) })
      .first()
      .waitFor();
    assert.ok((await section.innerText()).includes(image));
    assert.match(await section.innerText(), /1 request · 1 effect/);
    assert.match(await section.locator('tr', { has: page.page.locator('i.create') }).innerText(), /contacts\s+ada@example\.org/);
    assert.match(await section.innerText(), /201\s+POST \/crm\/v3\/objects\/contacts\/batch\/create/);
    assert.deepEqual(await page.page.locator('main script, main img').count(), 0);
    for (let no = 1; no <= 14; no++) await contact({ email: `more${no}@example.org`, firstname: 'B'.repeat(400) });
    await page.shows('the latest 12 of 15');
    assert.doesNotMatch(await section.innerText(), /B{61}/, 'a long value is shown whole');
    assert.equal(await page.page.title(), 'Fake applications');
    assert.equal(await page.page.evaluate('document.body.dataset.kept'), 'yes', 'the page was loaded anew');
    await page.screenshot('fakes-written');
  });

  it('is no wider than its window, be it that of a phone', async () => {
    for (const width of [1400, 700, 390]) {
      await page.page.setViewportSize({ width, height: 900 });
      assert.ok((await page.page.evaluate<number>('document.documentElement.scrollWidth')) <= width, `wider than ${width} px`);
      await page.screenshot(`fakes-${width}`);
    }
  });

  it('says when the fakes have stopped', async () => {
    await page.page.route('**/main', (route) => route.abort());
    await page.shows('Fake applications (stopped)');
    await page.page.unroute('**/main');
  });
});
