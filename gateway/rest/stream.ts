import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { DatasetRead } from '../../schema/dataset.ts';
import { Standing } from '../access/standing.ts';
import type { GatewayContext } from '../context.ts';
import { whenGone } from '../operation/gone.ts';
import { counted } from '../operation/sent.ts';
import { Problem } from '../problem.ts';
import type { View } from '../view.ts';
import { callOf } from './answers.ts';
import { mediaTypes } from './negotiate.ts';

/**
 * Streams all rows of a read. What fails before the first byte is answered as a problem; later, the connection is cut, so that nobody
 * takes a part for the whole; so it is when the token is revoked or expires. A client that goes away ends the query.
 */
export async function sendStream(
  context: GatewayContext,
  request: FastifyRequest,
  reply: FastifyReply,
  asked: { readonly read: DatasetRead; readonly views: readonly View[]; readonly format: 'ndjson' | 'csv' },
): Promise<FastifyReply> {
  const { read, views, format } = asked;
  void reply.header('content-type', `${mediaTypes[format]}; charset=utf-8`).header('cache-control', 'private, no-store');
  if (format === 'csv') void reply.header('content-disposition', `attachment; filename="${views[0]?.name ?? 'rows'}.csv"`);
  if (request.method === 'HEAD') return reply.send();
  const gone = new AbortController();
  // One that has an end may come to it while the gateway drains.
  const { signal } = gone;
  const rows = context.answers.export({ ...callOf(request, views, request.url), read, format, signal })[Symbol.asyncIterator]();
  whenGone(request, reply, () => {
    gone.abort(new Problem(499, 'Caller gone', 'The caller has gone.'));
    // Where nobody has begun to read them, nobody else gives back what they hold.
    void rows.return?.().catch(() => undefined);
  });
  const first = await rows.next();
  context.audit.add({ actor: request.caller.id, action: 'api.export', target: views[0]?.name ?? '', result: 'begun', details: { format } });
  const standing = new Standing(context.books, context.definition.project);
  return reply.send(
    Readable.from(
      counted(
        request,
        rest(first, rows, () => standing.isGood(request.caller)),
      ),
      { objectMode: false },
    ),
  );
}

/** Milliseconds between two looks at whether the token still holds. */
const lookEvery = 1000;

async function* rest(
  first: IteratorResult<Uint8Array>,
  rows: AsyncIterator<Uint8Array>,
  mayGoOn: () => Promise<boolean>,
): AsyncGenerator<Uint8Array> {
  let looked = Date.now();
  try {
    for (let part = first; part.done !== true; part = await rows.next()) {
      if (Date.now() - looked >= lookEvery) {
        if (!(await mayGoOn())) throw new Problem(401, 'Unauthorized', 'The token was revoked or has expired while its export ran.');
        looked = Date.now();
      }
      yield part.value;
    }
  } finally {
    await rows.return?.();
  }
}
