import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { temporalUi } from '../servers.ts';

const program = process.env['MILLRACE_TEST_CHROMIUM'] ?? '/usr/bin/chromium';

/** Where screenshots go, for people to look at. */
const screenshots = join(tmpdir(), 'millrace-screenshots');

/** Why there is nothing to test with; undefined when there is a browser. */
export const noBrowser = existsSync(program) ? undefined : `no browser at ${program} (MILLRACE_TEST_CHROMIUM names another)`;

/** A page in a browser. */
export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors that the page has thrown. */
  readonly errors: readonly string[];
  /** Goes to a path of the site. */
  open(path: string): Promise<void>;
  /** Waits for a text on the page. */
  shows(text: string): Promise<void>;
  /** Waits for a text in one of the boxes in which the UI renders Markdown. */
  renders(text: string): Promise<void>;
  /** What the boxes in which the UI renders Markdown say. */
  rendered(): Promise<string>;
  /** Fails when a box in which the UI renders Markdown cuts something off. */
  showsBoxesWhole(): Promise<void>;
  screenshot(name: string): Promise<void>;
}

/** How far rows, items and paragraphs reach below and beside their window. The last paragraph only makes room. */
const reach = `(() => {
  const ends = [...document.querySelectorAll('tr, li, p:not(:last-child)')].map((element) => element.getBoundingClientRect());
  return [Math.max(0, ...ends.map(({ bottom }) => bottom - innerHeight)), Math.max(0, ...ends.map(({ right }) => right - innerWidth))];
})()`;

/** Opens a browser on the UI of the tests' Temporal server. */
export const openUi = async (): Promise<OpenPage> => await openBrowser(await temporalUi());

/** Opens a browser on a site: `http://127.0.0.1:4700`. */
export async function openBrowser(site: string): Promise<OpenPage> {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser: Browser = await chromium.launch({ executablePath: program, args: sandbox });
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  page.setDefaultTimeout(30_000);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await mkdir(screenshots, { recursive: true });
  const wait = async (what: string, isThere: () => Promise<boolean>): Promise<void> => {
    const end = Date.now() + 30_000;
    while (!(await isThere().catch(() => false))) {
      if (Date.now() > end)
        throw new Error(
          `the page ${page.url()} has no ${JSON.stringify(what)}: ${(await page.locator('main').innerText()).slice(0, 2000)}\n${await rendered()}`,
        );
      await page.waitForTimeout(100);
    }
  };
  const rendered = async (): Promise<string> => {
    const texts = await Promise.all(page.frames().map((frame) => frame.locator('body').innerText()));
    return texts
      .slice(1)
      .join('\n')
      .replaceAll(/[\u00A0\t ]+/g, ' ');
  };
  return {
    page,
    errors,
    rendered,
    open: async (path) => void (await page.goto(`${site}${path}`)),
    shows: (text) => wait(text, async () => (await page.locator('body').innerText()).includes(text)),
    renders: (text) => wait(text, async () => (await rendered()).includes(text)),
    async showsBoxesWhole() {
      for (const frame of page.frames().slice(1)) {
        const [below, beside] = await frame.evaluate<readonly [number, number]>(reach);
        assert.ok(below <= 0 && beside <= 0, `${below} px of rows and ${beside} px of columns are cut off`);
      }
    },
    screenshot: async (name) => void (await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true })),
    [Symbol.asyncDispose]: () => browser.close(),
  };
}
