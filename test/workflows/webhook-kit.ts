import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OutgoingWebhook, Patience } from '../../schema/webhook.ts';

export const secretVariable = 'MILLRACE_TEST_WEBHOOK_SECRET';
export const secret = 'canary-5d1f0c';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What a receiver answers: a status, with headers. */
interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Takes what webhooks post, and answers as the test wants. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly taken: Received[];
  readonly refused: Received[];
  /** Called for each post; 200 by default. */
  answer: (received: Received, no: number) => Reply;
}

export async function openReceiver(): Promise<Receiver> {
  let no = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const received = { headers: request.headers, body };
      const { status, headers = {} } = receiver.answer(received, no++);
      (status < 300 ? receiver.taken : receiver.refused).push(received);
      response.writeHead(status, headers).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    taken: [],
    refused: [],
    answer: () => ({ status: 200 }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return receiver;
}

/** What the guide tells receivers to do. */
export function isSigned({ headers, body }: Received, key: string, now = Date.now()): boolean {
  const [, time = '', given = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['millrace-signature'])) ?? [];
  const expected = createHmac('sha256', key).update(`${time}.${body}`).digest('hex');
  return given === expected && Math.abs(now / 1000 - Number(time)) < 300;
}

export const datasetOf = ({ body }: Received): string => (JSON.parse(body) as { dataset: string }).dataset;
export const deliveryOf = ({ headers }: Received): string => String(headers['millrace-delivery']);

export function testWebhook(
  project: string,
  warehouse: string,
  url: string,
  more: Partial<Omit<OutgoingWebhook, 'patience'>> & { readonly patience?: Partial<Patience> } = {},
): OutgoingWebhook {
  const { patience, ...rest } = more;
  return {
    project,
    name: 'partner',
    to: { name: 'hook', type: 'webhook', settings: { type: 'webhook', url, secret: `\${env:${secretVariable}}`, allow_private: true } },
    datasets: ['marts.*'],
    books: { name: 'warehouse', type: 'postgres', settings: { type: 'postgres', url: warehouse } },
    patience: { first: 100, longest: 400, attempts: 6, refusals: 2, ...patience },
    heartbeatTimeout: 60_000,
    ...rest,
  };
}
