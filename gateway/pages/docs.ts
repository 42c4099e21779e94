import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Part } from '../context.ts';

const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="stylesheet" href="docs/page.css">
</head>
<body>
<form id="who" autocomplete="off">
<label for="token">Token</label>
<input id="token" type="password" placeholder="mr_… or a JWT; stays in this page" autocomplete="off" spellcheck="false">
<button type="submit">Show my API</button>
<span id="said" role="status"></span>
</form>
<div id="api"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/page.js"></script>
</body>
</html>
`;

const css = `body { margin: 0; font-family: sans-serif; }
#who { display: flex; gap: .6rem; align-items: center; flex-wrap: wrap; padding: .8rem 1.2rem; border-bottom: 1px solid #ccc; }
#token { flex: 0 1 26rem; padding: .4rem; font: inherit; }
#who button { padding: .4rem .8rem; font: inherit; cursor: pointer; }
#said { color: #a00; }
`;

/** The document depends on the token, so it is fetched with it; the token is kept nowhere but in the page. */
const script = `'use strict';
const said = document.getElementById('said');
let token = '';
/* Its warnings are for its makers: that a format has no input of its own, and is text. */
const silent = () => {};
const log = Object.assign(silent, { warn: silent, info: silent, debug: silent, error: console.error });
async function show() {
  said.textContent = '';
  const headers = token === '' ? {} : { authorization: 'Bearer ' + token };
  const answer = await fetch('openapi.json', { headers });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    said.textContent = token === '' && answer.status === 401 ? 'Give a token to see the API.' : problem.detail || 'HTTP ' + answer.status;
    document.getElementById('api').replaceChildren();
    return;
  }
  SwaggerUIBundle({
    spec: await answer.json(),
    dom_id: '#api',
    deepLinking: false,
    persistAuthorization: false,
    validatorUrl: null,
    docExpansion: 'list',
    defaultModelsExpandDepth: 0,
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [() => ({ rootInjects: { log } })],
    requestInterceptor(request) {
      if (token !== '' && new URL(request.url, location.href).origin === location.origin) request.headers.authorization = 'Bearer ' + token;
      return request;
    },
  });
}
document.getElementById('who').addEventListener('submit', (event) => {
  event.preventDefault();
  token = document.getElementById('token').value.trim();
  void show();
});
void show();
`;

/** `GET /docs`: a page that shows the API and tries it. All of its files come from here, so that it works without the internet. */
export const docsPart: Part = (server) => {
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  const read = new Map<string, Promise<Buffer>>();
  const fromPackage = (name: string): Promise<Buffer> => {
    const content = read.get(name) ?? readFile(join(folder, name));
    read.set(name, content);
    return content;
  };
  const files = [
    ['/docs', 'text/html', () => html],
    ['/docs/page.css', 'text/css', () => css],
    ['/docs/page.js', 'text/javascript', () => script],
    ['/docs/swagger-ui.css', 'text/css', () => fromPackage('swagger-ui.css')],
    ['/docs/swagger-ui-bundle.js', 'text/javascript', () => fromPackage('swagger-ui-bundle.js')],
  ] as const;
  for (const [url, type, content] of files) {
    server.get(url, { config: { access: { kind: 'page' } } }, async (_, reply) =>
      reply.header('content-type', `${type}; charset=utf-8`).send(await content()),
    );
  }
};
