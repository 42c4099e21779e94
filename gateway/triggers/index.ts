import type { FastifyRequest } from 'fastify';
import { MillraceError } from '../../schema/errors.ts';
import type { TriggerDefinition } from '../../schema/gateway-definition.ts';
import type { GatewayContext, Part } from '../context.ts';
import { notFound, Problem } from '../problem.ts';
import { verifySignature } from '../signatures/verify.ts';
import { repeatKey, Repeats } from './repeats.ts';

type Started = Awaited<ReturnType<GatewayContext['runs']['start']>>;
type Triggered = FastifyRequest<{ Params: { name: string }; Body: Buffer | undefined }>;

/** `POST /trigger/<name>`: starts a run, or joins the one under way. */
export const triggersPart: Part = (server, context) => {
  const triggers = new Map(context.definition.triggers.map((trigger) => [trigger.name, trigger]));
  const repeats = new Repeats<Started>();
  // Whatever is posted stays as it came: signatures are of its bytes, and nothing else of it is used.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  server.post<{ Params: { name: string }; Body: Buffer | undefined }>('/trigger/:name', {
    config: { access: { kind: 'trigger' } },
    handler: async (request, reply) => {
      const trigger = triggers.get(request.params.name);
      if (trigger === undefined) throw notFound('trigger of that name');
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      requireSignature(trigger, request, body);
      const headers = await context.limits.take(`trigger:${trigger.name}`, request.caller);
      const { answer, repeated } = await start(context, repeats, trigger, request, body);
      const { workflowId, runId, joined = false } = answer;
      return reply.code(202).headers(headers).send({ workflowId, runId, joined, repeated });
    },
  });
};

/** A caller without a token was let through for the signature that his request must have. */
function requireSignature({ name, verify }: TriggerDefinition, { caller, method, url, headers }: Triggered, body: Buffer): void {
  if (caller.id !== `signed:trigger:${name}`) return;
  if (verify === undefined) throw new Problem(401, 'Unauthorized', 'A token is needed.');
  verifySignature(verify, { method, path: url, headers, body, now: Date.now() });
}

async function start(
  { runs, audit }: GatewayContext,
  repeats: Repeats<Started>,
  { name, run, verify }: TriggerDefinition,
  { caller, headers }: Triggered,
  body: Buffer,
): Promise<{ readonly answer: Started; readonly repeated: boolean }> {
  const note = (result: string, details: Readonly<Record<string, unknown>>): void =>
    audit.add({ actor: caller.id, action: 'trigger', target: name, result, details: { run, ...details } });
  const work = async (): Promise<Started> => {
    try {
      return await runs.start(run);
    } catch (error) {
      note('failed', { code: error instanceof MillraceError ? error.code : 'unknown' });
      throw new Problem(503, 'Not started', 'The run can not be started just now; try again.', {
        headers: { 'retry-after': '5' },
        cause: error,
      });
    }
  };
  const key = repeatKey(verify?.kind, headers, body);
  const started = key === undefined ? { answer: await work(), repeated: false } : await repeats.once([name, caller.id, key], work);
  const { workflowId, runId, joined = false } = started.answer;
  note(started.repeated ? 'repeated' : joined ? 'joined' : 'started', { workflowId, runId });
  return started;
}
