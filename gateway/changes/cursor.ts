import type { GatewayBooks } from '../../connectors/gateway-books.ts';
import { badRequest, Problem } from '../problem.ts';

const prefix = 'change ';

/** The place behind a change, as clients are given it. */
export const cursorOf = (position: bigint): string => Buffer.from(`${prefix}${position}`).toString('base64url');

/** Throws 400 for what was never a cursor of `/changes`. */
export function readChangesCursor(text: string, at: string): bigint {
  const [, id] = /^change (\d{1,18})$/.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  if (id === undefined || cursorOf(BigInt(id)) !== text) throw badRequest([{ at, message: 'is no cursor of /changes' }]);
  return BigInt(id);
}

/** Throws 410 when changes behind the position are kept no longer, or the warehouse was restored to a moment before it. */
export async function requireKept(books: Pick<GatewayBooks, 'forgottenChange' | 'latestChange'>, position: bigint): Promise<void> {
  if (position >= BigInt(await books.forgottenChange()) && position <= BigInt(await books.latestChange())) return;
  throw new Problem(
    410,
    'Cursor too old',
    'Changes behind this cursor are kept no longer: begin without a cursor, and read what you follow anew.',
  );
}
