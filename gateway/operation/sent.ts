import type { FastifyRequest } from 'fastify';

/** The parts of a stream as they are, with their bytes noted for the access log: those that its connection took. */
export async function* counted<Part extends string | Uint8Array>(
  { noted }: Pick<FastifyRequest, 'noted'>,
  parts: AsyncIterable<Part>,
): AsyncGenerator<Part> {
  noted.bytes = 0;
  for await (const part of parts) {
    noted.bytes += Buffer.byteLength(part);
    yield part;
  }
}
