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
  // All behind it are heard of, also where the first connection comes late.
  const begin = BigInt(await books.latestChange());
  let position = begin;
  const tell = (): void =>
    log.info({ warehouse, live: isLive }, isLive ? 'hears of commits' : 'does not hear of commits: nothing is kept until it does');
  const listening = await books.listen(
    {
      onChange(change) {
        const id = BigInt(change.id);
        lastOfTable.set(change.dataset, id);
        position = id;
        for (const listener of listeners) listener(change);
      },
      onLive(live) {
        if (isLive === live) return;
        isLive = live;
        tell();
      },
    },
    `${begin}`,
  );
  if (!isLive) tell();
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
