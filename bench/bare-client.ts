import http from 'node:http';
import { withClient } from './data.ts';

export interface BareRequest {
  /** Of the warehouse, and of the CRM. */
  readonly warehouse: string;
  readonly crm: string;
  /** The model's query; `email` is among its columns. */
  readonly sql: string;
  readonly rows: number;
  readonly concurrency: number;
}

type Value = string | number | null;
type Row = Readonly<Record<string, Value>>;

/** Posts JSON and gives the answer's. */
export function post(agent: http.Agent, url: string, body: unknown): Promise<unknown> {
  const bytes = Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': bytes.length, authorization: 'Bearer token' };
    const request = http.request(url, { method: 'POST', agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')));
        else reject(new Error(`the CRM answered ${response.statusCode}`));
      });
    });
    request.on('error', reject);
    request.end(bytes);
  });
}

const textOf = (value: Value | undefined): string => String(value ?? '');

function inputOf(row: Row, no: number): object {
  const fields = Object.entries(row).filter(([name]) => name !== 'email');
  const properties = Object.fromEntries(fields.map(([name, value]) => [name, textOf(value)]));
  return { id: textOf(row['email']), idProperty: 'email', properties, objectWriteTraceId: String(no) };
}

/**
 * The plainest competent way to send a model: rows by a cursor, the next page read while one is sent, so many requests at once over kept
 * connections, every answer counted. It remembers nothing.
 */
export async function sendBare({ warehouse, crm, sql, rows: batchRows, concurrency }: BareRequest): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency });
  await withClient(warehouse, async (client) => {
    await client.query(`BEGIN; DECLARE model NO SCROLL CURSOR FOR ${sql}`);
    const fetch = async (): Promise<readonly Row[]> => (await client.query<Row>(`FETCH ${20 * batchRows} FROM model`)).rows;
    let page: readonly Row[] = [];
    let at = 0;
    let coming: Promise<readonly Row[]> | undefined = fetch();
    const turn = async (): Promise<void> => {
      const mine = coming;
      const arrived = await mine;
      if (arrived === undefined || mine !== coming) return;
      [page, at] = [arrived, 0];
      coming = arrived.length === 0 ? undefined : fetch();
    };
    const lane = async (): Promise<void> => {
      for (;;) {
        while (at >= page.length && coming !== undefined) await turn();
        const batch = page.slice(at, at + batchRows);
        at += batch.length;
        if (batch.length === 0) return;
        const inputs = batch.map(inputOf);
        const answer = (await post(agent, `${crm}/crm/v3/objects/contacts/batch/upsert`, { inputs })) as { readonly results: unknown[] };
        if (answer.results.length !== batch.length) throw new Error('rows were not taken');
      }
    };
    await Promise.all(Array.from({ length: concurrency }, lane));
  });
  agent.destroy();
}
