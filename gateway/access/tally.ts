import type { AuditEntry } from '../../connectors/gateway-books.ts';

type Added = Omit<AuditEntry, 'project' | 'at'>;

interface Counted {
  readonly entry: Added;
  readonly at: Date;
  count: number;
}

/** Counts entries that say the same, up to so many kinds; those of further kinds are one entry, of others. */
export class Tally {
  readonly #most: number;
  readonly #counted = new Map<string, Counted>();

  constructor(most: number) {
    this.#most = most;
  }

  add(entry: Added): void {
    const key = JSON.stringify([entry.actor, entry.action, entry.target, entry.result]);
    if (this.#counted.has(key) || this.#counted.size < this.#most) this.#count(key, entry);
    else this.#count(`others ${entry.result}`, { ...entry, actor: 'others', target: 'others', details: {} });
  }

  /** The entries with their counts, when the first of each was; begins anew. */
  take(): readonly (Added & { readonly at: Date })[] {
    const taken = [...this.#counted.values()].map(({ entry, at, count }) => ({ ...entry, at, details: { ...entry.details, count } }));
    this.#counted.clear();
    return taken;
  }

  #count(key: string, entry: Added): void {
    const found = this.#counted.get(key);
    if (found === undefined) this.#counted.set(key, { entry, at: new Date(), count: 1 });
    else found.count++;
  }
}
