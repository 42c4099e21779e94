import type { Change, GatewayBooks } from '../connectors/gateway-books.ts';
import type { ChangesFeed, GatewayLog } from './context.ts';

/** Hears of the commits to a warehouse until disposed. */
export async function openFeed(
  books: Pick<GatewayBooks, 'listen' | 'latestChange'>,
  warehouse: string,
  log: GatewayLog,
): Promise<ChangesFeed & AsyncDisposable> {
  const listeners = new Set<(change: Change) => void>();
  const lastOfTable = new Map<string, bigint>();
  let isLive = false;
  let begin = 0n;
  let position = 0n;
  const listening = await books.listen({
    onChange(change) {
      const id = BigInt(change.id);
      lastOfTable.set(change.dataset, id);
      if (id > position) position = id;
      for (const listener of listeners) listener(change);
    },
    onLive(live) {
      if (isLive !== live)
        log.info({ warehouse, live }, live ? 'hears of commits' : 'may miss commits: nothing is kept until it hears of them again');
      isLive = live;
    },
  });
  // Listening comes first: a change in between is heard of, and the answers read before it are older than where listening began.
  begin = BigInt(await books.latestChange());
  if (begin > position) position = begin;
  return {
    get isLive() {
      return isLive;
    },
    get position() {
      return position;
    },
    lastChange(tables) {
      if (tables.length === 0) return position;
      let last = begin;
      for (const table of tables) {
        const id = lastOfTable.get(table) ?? begin;
        if (id > last) last = id;
      }
      return last;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose](),
  };
}
