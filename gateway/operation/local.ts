import type { FastifyRequest } from 'fastify';

const loopback = /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/;

/** A caller on this machine, and no proxy on it that speaks for another. */
export function isLocal({ socket, headers }: Pick<FastifyRequest, 'socket' | 'headers'>): boolean {
  const speaksForOthers = headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined || headers.via !== undefined;
  return !speaksForOthers && loopback.test(socket.remoteAddress ?? '');
}
