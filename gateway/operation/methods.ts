import type { FastifyInstance } from 'fastify';
import { notFound, Problem } from '../problem.ts';

interface Pattern {
  readonly matches: RegExp;
  readonly methods: Set<string>;
}

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

/** `/api/:name/*` as a pattern of paths. */
function matcher(url: string): RegExp {
  const parts = url.split('/').map((part) => (part === '*' ? '.*' : part.startsWith(':') ? '[^/]+' : literal(part)));
  return new RegExp(`^${parts.join('/')}$`);
}

/** 405 with the methods that there are for a path, 404 for a path that there is not. */
export function answerWrongMethods(server: FastifyInstance): void {
  const patterns = new Map<string, Pattern>();
  server.addHook('onRoute', ({ url, method }) => {
    const pattern = patterns.get(url) ?? { matches: matcher(url), methods: new Set() };
    for (const one of [method].flat()) pattern.methods.add(one);
    patterns.set(url, pattern);
  });
  const refuse = ({ url }: { readonly url: string }): never => {
    const path = url.split('?', 1)[0] ?? '';
    const methods = [...patterns.values()].filter(({ matches }) => matches.test(path)).flatMap((pattern) => [...pattern.methods]);
    if (methods.length === 0) throw notFound('such path');
    const allow = [...new Set(methods)].toSorted().join(', ');
    throw new Problem(405, 'Method not allowed', `This path takes ${allow}.`, { headers: { allow } });
  };
  server.setNotFoundHandler(refuse);
  // Before a body is read: some methods must have one, and what nobody takes need not be sent.
  server.addHook('onRequest', (request, _reply, done) => {
    if (request.is404 && request.method === 'QUERY') refuse(request);
    done();
  });
}
