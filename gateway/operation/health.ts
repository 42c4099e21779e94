import type { FastifyInstance } from 'fastify';
import type { Metrics } from './metrics.ts';

export interface Readiness {
  /** Why no requests should come here; empty when they may. */
  readonly reasons: () => Promise<readonly string[]>;
  /** What works less well and is no reason. */
  readonly notes: () => readonly string[];
}

/** `/healthz`: the process answers. `/readyz`: requests may come. `/metrics`: for callers on this machine, or with a token of the scope `metrics`. */
export function answerHealth(server: FastifyInstance, readiness: Readiness, metrics: Metrics): void {
  server.get('/healthz', { config: { access: { kind: 'public' } } }, () => ({ status: 'ok' }));
  server.get('/readyz', { config: { access: { kind: 'public' } } }, async (_request, reply) => {
    const reasons = await readiness.reasons();
    const notes = readiness.notes();
    void reply.code(reasons.length === 0 ? 200 : 503);
    return { status: reasons.length === 0 ? 'ready' : 'not ready', reasons, ...(notes.length === 0 ? {} : { notes }) };
  });
  server.get('/metrics', { config: { access: { kind: 'metrics' } } }, (_request, reply) => {
    void reply.type('text/plain; version=0.0.4; charset=utf-8');
    return metrics.text();
  });
}
