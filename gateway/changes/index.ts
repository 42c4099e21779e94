import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Standing } from '../access/standing.ts';
import { queryOf } from '../address.ts';
import type { GatewayContext, Part } from '../context.ts';
import { whenGone } from '../operation/gone.ts';
import { counted } from '../operation/sent.ts';
import { badRequest, type Detail } from '../problem.ts';
import { readChangesCursor, requireKept } from './cursor.ts';
import { RecentChanges } from './recent.ts';
import { changesText, streamTimes, type StreamTimes } from './stream.ts';
import { OpenStreams, streamLimits, type StreamLimits } from './streams.ts';
import { seenBy } from './visible.ts';

export interface ChangesOptions {
  /** Where it is served. */
  readonly path?: string;
  readonly times?: Partial<StreamTimes>;
  readonly limits?: Partial<StreamLimits>;
}

interface Following {
  readonly context: GatewayContext;
  readonly recent: RecentChanges;
  readonly open: OpenStreams;
  readonly standing: Standing;
  readonly times: StreamTimes;
}

/** `GET /changes`: commits to what the caller may read, as they happen, and all that were missed since a cursor. */
export const createChangesPart =
  ({ path = '/changes', times, limits }: ChangesOptions = {}): Part =>
  (server, context) => {
    const following: Following = {
      context,
      recent: new RecentChanges(context.changes, context.books),
      open: new OpenStreams({ ...streamLimits, ...limits }),
      standing: new Standing(context.books, context.definition.project),
      times: { ...streamTimes, ...times },
    };
    server.addHook('onClose', (_, done) => {
      following.recent[Symbol.dispose]();
      done();
    });
    server.get(path, {
      exposeHeadRoute: false,
      config: { access: { kind: 'changes' } },
      handler: async (request, reply) => await follow(following, request, reply),
    });
  };

export const changesPart: Part = createChangesPart();

async function follow(following: Following, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { context, recent, open, times } = following;
  const { caller } = request;
  const { names, cursor } = wantedOf(request);
  const headers = await context.limits.take('changes', caller);
  const see = seenBy(context, caller, names);
  if (cursor !== undefined) await requireKept(context.books, cursor);
  const from = cursor ?? BigInt(await context.books.latestChange());
  const free = open.take(caller.id);
  const ending = new AbortController();
  const recheck = setInterval(() => void endWhenRefused(following, request, ending), times.recheck);
  const end = (): void => ending.abort();
  context.draining.addEventListener('abort', end);
  const cut = (): void => {
    context.log.warn({ caller: caller.id, request: request.id }, 'a stream of changes was cut off: its reader takes nothing');
    context.count('changes_cut_total', { reason: 'slow' });
    request.raw.socket.destroy();
  };
  const text = changesText({ recent, from, see, settle: context.lookForMissing, signal: ending.signal, times, cut });
  whenGone(request, reply, () => {
    end();
    clearInterval(recheck);
    context.draining.removeEventListener('abort', end);
    free();
  });
  if (context.draining.aborted) end();
  return reply
    .headers({ ...headers, 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
    .send(Readable.from(counted(request, text)));
}

async function endWhenRefused({ context, standing }: Following, { caller, id }: FastifyRequest, ending: AbortController): Promise<void> {
  if (ending.signal.aborted || (await standing.isGood(caller))) return;
  context.log.info({ caller: caller.id, request: id }, 'a stream of changes ends: its token is no longer good');
  ending.abort();
}

interface WantedChanges {
  /** Names of APIs; undefined for all that the caller sees. */
  readonly names: readonly string[] | undefined;
  readonly cursor: bigint | undefined;
}

/** A browser that comes back asks the same address again: what it says of its last event is newer than a cursor in that. */
function wantedOf({ url, headers }: FastifyRequest): WantedChanges {
  const parameters = Object.entries(queryOf({ url }));
  const wrong: Detail[] = parameters
    .filter(([name]) => name !== 'api' && name !== 'cursor')
    .map(([name]) => ({ at: name, message: 'is no parameter; there are api and cursor' }));
  const given = new Map(parameters);
  const cursor = given.get('cursor');
  if (cursor !== undefined && typeof cursor !== 'string') wrong.push({ at: 'cursor', message: 'may be given once' });
  if (wrong.length > 0) throw badRequest(wrong);
  const names = [given.get('api') ?? []].flat().flatMap((text) => text.split(',').filter((name) => name !== ''));
  const last = headers['last-event-id'];
  const [text, at] = typeof last === 'string' && last !== '' ? [last, 'Last-Event-ID'] : [cursor, 'cursor'];
  return {
    names: given.has('api') ? names : undefined,
    cursor: typeof text === 'string' && text !== '' ? readChangesCursor(text, at) : undefined,
  };
}
