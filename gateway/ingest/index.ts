import type { FastifyInstance, FastifyRequest } from 'fastify';
import { MillraceError } from '../../schema/errors.ts';
import { ingestFolder } from '../../staging/ingest-folder.ts';
import type { GatewayContext, Part } from '../context.ts';
import { notFound } from '../problem.ts';
import { verifySignature } from '../signatures/verify.ts';
import { Acceptor, type Accepted } from './accept.ts';
import { Intake } from './intake.ts';

interface Door {
  readonly intake: Intake;
  readonly acceptor: Acceptor;
}

async function openDoors(context: GatewayContext): Promise<ReadonlyMap<string, Door>> {
  const { definition, staging, stagingKeys: keys, log, runs } = context;
  const doors = new Map<string, Door>();
  for (const ingest of definition.ingests) {
    const { name } = ingest.connection;
    const folder = ingestFolder(staging, definition.project, name);
    try {
      const intake = await Intake.open({
        definition: ingest,
        folder,
        keys,
        log,
        wake: async (pending) => await runs.wakeIngest(name, pending),
      });
      doors.set(name, { intake, acceptor: new Acceptor(intake) });
      context.gauge('ingest_pending_bytes', { connection: name }, () => intake.pending.bytes);
      context.gauge('ingest_pending_segments', { connection: name }, () => intake.pending.segments);
    } catch (error) {
      for (const { intake } of doors.values()) await intake[Symbol.asyncDispose]();
      if (error instanceof MillraceError) throw new MillraceError(error.code, `connection ${name}: ${error.message}`, { cause: error });
      throw error;
    }
  }
  return doors;
}

function checkSignature({ settings }: Intake, { method, raw, headers }: FastifyRequest, body: Buffer): void {
  const { verify } = settings;
  if (verify === undefined) return;
  verifySignature(verify, { method, path: raw.url ?? '', headers, body, now: Date.now() });
}

function counted(context: GatewayContext, connection: string, { accepted, duplicates, rejected }: Accepted): void {
  for (const [outcome, events] of Object.entries({ accepted, duplicates, rejected: rejected.length }))
    if (events > 0) context.count('ingest_events_total', { connection, outcome }, events);
}

/** `POST /ingest/<connection>`: events, answered (202) once they are on disk. */
export const ingestPart: Part = async (server: FastifyInstance, context: GatewayContext) => {
  if (context.definition.ingests.length === 0) return;
  const doors = await openDoors(context);
  server.addHook('onClose', async () => {
    for (const { intake } of doors.values()) await intake[Symbol.asyncDispose]();
  });
  await server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    scope.post<{ Params: { name: string } }>('/ingest/:name', { config: { access: { kind: 'ingest' } } }, async (request, reply) => {
      const { name } = request.params;
      const door = doors.get(name);
      if (door === undefined) throw notFound(`ingest connection "${name}"`);
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      checkSignature(door.intake, request, body);
      const headers = await context.limits.take(`ingest:${name}`, request.caller);
      const answer = await door.acceptor.accept(request.headers, body, request.caller);
      counted(context, name, answer);
      context.audit.count({ actor: request.caller.id, action: 'ingest', target: name, result: 'accepted', details: {} });
      return await reply.code(202).headers(headers).send(answer);
    });
  });
};
