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

/** A page of the Temporal UI. */
export interface UiPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors that the page has thrown. */
  readonly errors: readonly string[];
  /** Goes to a path of the UI. */
  open(path: string): Promise<void>;
  /** Waits for a text on the page. */
  shows(text: string): Promise<void>;
  /** Waits for a text in one of the boxes in which the UI renders Markdown. */
  renders(text: string): Promise<void>;
  screenshot(name: string): Promise<void>;
}

/** Opens a browser on the UI of the tests' Temporal server. */
export async function openUi(): Promise<UiPage> {
  const ui = await temporalUi();
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
          `the page ${page.url()} has no ${JSON.stringify(what)}: ${(await page.locator('main').innerText()).slice(0, 2000)}`,
        );
      await page.waitForTimeout(100);
    }
  };
  return {
    page,
    errors,
    open: async (path) => void (await page.goto(`${ui}${path}`)),
    shows: (text) => wait(text, async () => (await page.locator('body').innerText()).includes(text)),
    renders: (text) =>
      wait(text, async () => {
        const texts = await Promise.all(page.frames().map((frame) => frame.locator('body').innerText()));
        return texts.slice(1).some((found) => found.replaceAll(/[\u00A0\t ]+/g, ' ').includes(text));
      }),
    screenshot: async (name) => void (await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true })),
    [Symbol.asyncDispose]: () => browser.close(),
  };
}
