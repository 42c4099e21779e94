import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Fake } from './fake.ts';

/** A fake on the page, with what a project file needs to reach it. */
export interface ShownFake {
  readonly fake: Fake;
  /** Settings of a connection, secrets as references to variables. */
  readonly connection: Readonly<Record<string, unknown>>;
  /** The variables. */
  readonly secrets: Readonly<Record<string, string>>;
}

const most = { records: 12, effects: 12, requests: 8, columns: 9, characters: 60 };
const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');

/** Markup that is safe: everything put in is escaped, but for markup. */
class Html {
  readonly markup: string;
  constructor(markup: string) {
    this.markup = markup;
  }
}
type Part = Html | string | number | readonly Html[];

function markupOf(part: Part): string {
  if (part instanceof Html) return part.markup;
  return typeof part === 'object' ? part.map(({ markup }) => markup).join('') : escaped(String(part));
}

const html = (strings: TemplateStringsArray, ...parts: readonly Part[]): Html =>
  new Html(strings.map((text, no) => text + (no < parts.length ? markupOf(parts[no] ?? '') : '')).join(''));

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean);
}

const shortened = (text: string): string => (text.length > most.characters ? `${text.slice(0, most.characters)}…` : text);

/** A value in a cell; the whole of it when one points at it. */
const valueOf = (value: unknown): Html => html`<span title="${textOf(value)}">${shortened(textOf(value))}</span>`;

const fieldsText = (fields: Readonly<Record<string, unknown>>): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name} ${shortened(textOf(value)) || '—'}`)
    .join(' · ');

const clock = (at: number): string => new Date(at).toISOString().slice(11, 19);
const counted = (count: number, what: string): string => `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;

function table(heads: readonly string[], rows: readonly (readonly Part[])[]): Html {
  const head = heads.map((name) => html`<th>${name}</th>`);
  const body = rows.map(
    (cells) =>
      html`<tr>
        ${cells.map((cell) => html`<td>${cell}</td>`)}
      </tr>`,
  );
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          ${head}
        </tr>
      </thead>
      <tbody>
        ${body}
      </tbody>
    </table>
  </div>`;
}

function recordsOf(object: string, records: readonly Readonly<Record<string, unknown>>[]): Html {
  const shown = records.slice(-most.records).toReversed();
  const names = [...new Set(shown.flatMap((record) => Object.keys(record)))];
  const columns = names.slice(0, most.columns);
  const hidden = names.length > columns.length ? html`<span class="quiet">+ ${names.length - columns.length} fields</span>` : html``;
  const rows = shown.map((record) => columns.map((name) => valueOf(record[name])));
  const rest = records.length > shown.length ? html`<p class="quiet">the latest ${shown.length} of ${records.length}</p>` : html``;
  return html`<h3>${object} <b>${records.length}</b> ${hidden}</h3>
    ${rows.length === 0 ? html`` : table(columns, rows)}${rest}`;
}

function effectsOf({ effects }: Fake): Html {
  const rows = effects
    .slice(-most.effects)
    .toReversed()
    .map(({ at, operation, object, key, fields }) => [
      html`<time>${clock(at)}</time>`,
      html`<i class="${operation}">${operation}</i>`,
      object,
      key,
      fieldsText(fields),
    ]);
  if (rows.length === 0) return html`<p class="quiet">Nothing has been written yet.</p>`;
  return table(['at', 'effect', 'object', 'key', 'fields'], rows);
}

function requestsOf({ requests }: Fake): Html {
  const rows = requests
    .slice(-most.requests)
    .toReversed()
    .map(({ at, method, path, status }) => [
      html`<time>${clock(at)}</time>`,
      html`<i class="${status >= 200 && status < 400 ? 'good' : 'bad'}">${status === 0 ? 'cut' : status}</i>`,
      html`<code>${method} ${path}</code>`,
    ]);
  return rows.length === 0 ? html`<p class="quiet">No request yet.</p>` : table(['at', 'status', 'request'], rows);
}

function sectionOf(shown: ShownFake): Html {
  const { fake } = shown;
  const objects = [...fake.records()];
  const used = objects.filter(([, records]) => records.length > 0).map(([object, records]) => recordsOf(object, records));
  const empty = objects.filter(([, records]) => records.length === 0).map(([object]) => object);
  const quiet = empty.length === 0 ? html`` : html`<p class="quiet">Empty: ${empty.join(', ')}</p>`;
  return html`<section id="${fake.name}">
    <h2>${fake.name} <span class="quiet">${fake.url}</span></h2>
    <p>${counted(fake.requests.length, 'request')} · ${counted(fake.effects.length, 'effect')}</p>
    <pre>
${variablesText(shown)}
${connectionText(shown)}</pre>
    ${used}${quiet}
    <div class="columns">
      <div>
        <h3>Effects</h3>
        ${effectsOf(fake)}
      </div>
      <div>
        <h3>Requests</h3>
        ${requestsOf(fake)}
      </div>
    </div>
  </section>`;
}

/** A connection as the project file has it. */
export function connectionText({ fake, connection }: ShownFake): string {
  const text = (value: unknown): string =>
    typeof value === 'object' && value !== null ? `{ ${members(value).join(', ')} }` : scalar(value);
  const scalar = (value: unknown): string => (String(value).startsWith('$') ? `'${String(value)}'` : String(value));
  const members = (value: object): string[] => Object.entries(value).map(([key, member]) => `${key}: ${text(member)}`);
  return `${fake.name}: ${text(connection)}`;
}

/** The variables of a connection, for a shell. */
export const variablesText = ({ secrets }: ShownFake): string =>
  `export ${Object.entries(secrets)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')}`;

const style = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --quiet: color-mix(in srgb, currentColor 60%, transparent); }
body { font: 14px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1280px; padding: 24px; }
h1 { font-size: 20px; margin: 0 } h2 { font-size: 18px; margin: 0; text-transform: capitalize } h3 { font-size: 14px; margin: 16px 0 6px; text-transform: none }
h2 span, h3 span { font-weight: normal; text-transform: none; font-size: 13px } h3 b { font-weight: 600; color: var(--quiet) }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 8px 0 24px } a { color: inherit }
section { border: 1px solid var(--line); border-radius: 8px; padding: 16px 20px; margin: 0 0 20px }
section > p { margin: 2px 0 8px; color: var(--quiet) } .quiet { color: var(--quiet) } p.quiet { margin: 6px 0 }
pre { margin: 0; padding: 8px 10px; border: 1px solid var(--line); border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px }
.columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 24px } @media (max-width: 900px) { .columns { grid-template-columns: minmax(0, 1fr) } }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: 13px }
th { text-align: left; font-weight: 600; color: var(--quiet) } th, td { padding: 3px 12px 3px 0; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap; max-width: 320px; overflow: hidden; text-overflow: ellipsis }
td:last-child { white-space: normal; overflow-wrap: anywhere; min-width: 200px } time, code { font-family: ui-monospace, monospace; font-size: 12px }
i { font-style: normal; font-weight: 600 } i.create, i.add, i.good { color: #1a7f37 } i.update, i.event { color: #9a6700 } i.delete, i.remove, i.bad { color: #cf222e }
@media (prefers-color-scheme: dark) { i.create, i.add, i.good { color: #4ac26b } i.update, i.event { color: #d4a72c } i.delete, i.remove, i.bad { color: #ff8182 } }
`;

/** Replaces what changed, so that the page keeps its place. */
const script = `
let last = '';
setInterval(async () => {
  const answer = await fetch('/main').catch(() => undefined);
  document.querySelector('#state').textContent = answer?.ok ? '' : ' (stopped)';
  if (!answer?.ok) return;
  const next = await answer.text();
  if (next !== last) document.querySelector('main').innerHTML = next;
  last = next;
}, 1000);
`;

const sectionsOf = (shown: readonly ShownFake[]): Html => html`${shown.map(sectionOf)}`;

/** The page: what each fake holds, what happened to it, and how to connect to it. */
function pageOf(shown: readonly ShownFake[], nonce: string): string {
  const links = shown.map(({ fake }) => html`<a href="#${fake.name}">${fake.name}</a>`);
  return `<!doctype html>${
    html`<html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>Fake applications</title>
        <style nonce="${nonce}">
          ${new Html(style)}
        </style>
      </head>
      <body>
        <h1>Fake applications<span id="state" class="quiet"></span></h1>
        <nav>${links}</nav>
        <main>${sectionsOf(shown)}</main>
        <script nonce="${nonce}">
          ${new Html(script)};
        </script>
      </body>
    </html>`.markup
  }`;
}

/** Serves the page on loopback; `port` 0 takes a free one. */
export async function startPage(shown: readonly ShownFake[], port = 0): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    const nonce = randomBytes(12).toString('base64');
    if (request.url !== '/' && request.url !== '/main') return void response.writeHead(404).end();
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; connect-src 'self'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'`,
      'cache-control': 'no-store',
    });
    response.end(request.url === '/' ? pageOf(shown, nonce) : sectionsOf(shown).markup);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const listening = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://127.0.0.1:${listening}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
