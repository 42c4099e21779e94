import type { Change, GatewayBooks } from '../../connectors/gateway-books.ts';
import type { ChangesFeed } from '../context.ts';

/** Changes kept in memory for all streams together; who is further behind reads them from the books. */
const kept = 2_000;

/** The changes of late, once for all who follow them: each at its own pace, from its own position. */
export class RecentChanges implements Disposable {
  readonly #books: Pick<GatewayBooks, 'changesAfter'>;
  readonly #waiting = new Set<() => void>();
  readonly #stop: () => void;
  readonly #most: number;
  #changes: Change[] = [];
  /** All changes after this one that were heard of are kept. */
  #begin: bigint;
  #last: bigint;

  constructor(feed: Pick<ChangesFeed, 'position' | 'onChange'>, books: Pick<GatewayBooks, 'changesAfter'>, most = kept) {
    this.#books = books;
    this.#most = most;
    this.#begin = feed.position;
    this.#last = feed.position;
    this.#stop = feed.onChange((change) => this.#add(change));
  }

  /** The next changes after a position, oldest first, and the position behind them; none when it has come to the end. */
  async after(position: bigint, limit: number): Promise<{ readonly changes: readonly Change[]; readonly position: bigint }> {
    if (position < this.#begin) {
      // Whatever is heard of is in the books: a short page goes at least as far.
      const heard = this.#last;
      const changes = await this.#books.changesAfter(`${position}`, limit);
      const end = changes.at(-1);
      const read = end === undefined ? position : BigInt(end.id);
      return { changes, position: changes.length < limit && heard > read ? heard : read };
    }
    const at = this.#changes.findIndex(({ id }) => BigInt(id) > position);
    const changes = at < 0 ? [] : this.#changes.slice(at, at + limit);
    return { changes, position: BigInt(changes.at(-1)?.id ?? position) };
  }

  /** Comes back when there is a change after the position, after so many milliseconds (then it is false), or when the signal says so. */
  async wait(position: bigint, milliseconds: number, signal: AbortSignal): Promise<boolean> {
    if (this.#last > position || signal.aborted) return true;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      signal.addEventListener('abort', done);
      this.#waiting.add(done);
    });
    return this.#last > position || signal.aborted;
  }

  [Symbol.dispose](): void {
    this.#stop();
    for (const done of this.#waiting) done();
  }

  #add(change: Change): void {
    const id = BigInt(change.id);
    if (id <= this.#last) return;
    this.#last = id;
    this.#changes.push(change);
    if (this.#changes.length > 2 * this.#most) {
      this.#begin = BigInt(this.#changes[this.#most - 1]?.id ?? this.#begin);
      this.#changes = this.#changes.slice(this.#most);
    }
    for (const done of this.#waiting) done();
  }
}
