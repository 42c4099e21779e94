import type { FastifyReply, FastifyRequest } from 'fastify';

/** Calls back when the connection of an answer closes: at once where it has closed already, for that is not told again. */
export function whenGone({ raw: { socket } }: Pick<FastifyRequest, 'raw'>, { raw }: Pick<FastifyReply, 'raw'>, work: () => void): void {
  if (socket.destroyed) work();
  else raw.once('close', work);
}
