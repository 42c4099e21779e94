// A service of one's own over the gateway: GET /people/<person> recommends, POST /people/<person>/clicks/<film> tells of a click.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import axios from 'axios';

interface Film {
  readonly film_id: number;
  readonly title: string;
  readonly genre: string;
  readonly rating: string;
}

interface Page<Row> {
  readonly data: readonly Row[];
}

export interface Options {
  /** Address of the gateway. */
  readonly gateway: string;
  /** A token of the role `service` with the scopes `api` and `ingest:clicks`. */
  readonly token: string;
}

/** What the service does, apart from HTTP. */
export function recommender({ gateway, token }: Options) {
  const client = axios.create({ baseURL: gateway, headers: { authorization: `Bearer ${token}` }, timeout: 5000 });

  /** The genre that the person looked at most; undefined for somebody new, and before the very first click. */
  async function favourite(person: string): Promise<string | undefined> {
    const params = { person, sort: '-clicks,-last_at', fields: 'genre', limit: 1 };
    const { status, data } = await client.get<Page<{ genre: string }>>('/api/tastes', {
      params,
      validateStatus: (code) => code === 200 || code === 404,
    });
    return status === 404 ? undefined : data.data[0]?.genre;
  }

  return {
    /** The best films of the genre that the person likes, or of all. */
    recommend: async (person: string): Promise<readonly Film[]> => {
      const genre = await favourite(person);
      const params = { ...(genre === undefined ? {} : { genre }), fields: 'film_id,title,genre,rating', sort: '-rating', limit: 3 };
      return (await client.get<Page<Film>>('/api/films', { params })).data.data;
    },
    /** Tells of a click; it is safe on disk when this returns, and in the next answers about a second later. */
    click: async (person: string, film: number): Promise<void> => {
      await client.post('/ingest/clicks', { event_id: randomUUID(), person, film_id: film, at: new Date().toISOString() });
    },
  };
}

/** Statuses of the gateway that are the caller's to know: what was asked is wrong, or comes too early. */
const passedOn: readonly number[] = [400, 422, 429, 503];

/** Status and body for what went wrong. */
function failure(error: unknown): readonly [number, unknown] {
  if (error instanceof URIError) return [400, { error: 'the path has a broken escape' }];
  const response = axios.isAxiosError<{ title?: string }>(error) ? error.response : undefined;
  if (response === undefined) return [502, { error: 'the gateway did not answer' }];
  const { status, data } = response;
  return [passedOn.includes(status) ? status : 502, { error: `the gateway refused: ${status} ${data.title ?? ''}`.trimEnd() }];
}

/** The same over HTTP; gives the address. */
export async function serve(options: Options, port: number): Promise<{ readonly address: string; close(): void }> {
  const { recommend, click } = recommender(options);
  const answer = async (method: string, path: string): Promise<readonly [number, unknown]> => {
    const [, person, film] = /^\/people\/([^/]+)(?:\/clicks\/(\d+))?$/.exec(path) ?? [];
    if (person === undefined) return [404, { error: 'there are /people/<person> and /people/<person>/clicks/<film>' }];
    if (method === 'GET' && film === undefined) return [200, await recommend(decodeURIComponent(person))];
    if (method !== 'POST' || film === undefined) return [405, { error: 'GET recommends, POST tells of a click' }];
    await click(decodeURIComponent(person), Number(film));
    return [202, { accepted: 1 }];
  };
  const server = http.createServer((request, response) => {
    const end = (status: number, body: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    answer(request.method ?? '', request.url ?? '').then(
      ([status, body]) => end(status, body),
      (error: unknown) => end(...failure(error)),
    );
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const token = process.env['MILLRACE_TOKEN'];
  if (token === undefined) throw new Error('set MILLRACE_TOKEN: millrace token create prints one');
  const { address } = await serve({ gateway: process.env['MILLRACE_GATEWAY'] ?? 'http://127.0.0.1:8088', token }, 8090);
  console.log(`recommends at ${address}/people/<person>`);
}
