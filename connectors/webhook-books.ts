import type { Change } from './gateway-books.ts';

/** Which webhook: of which project. */
export interface WebhookPlace {
  readonly project: string;
  readonly webhook: string;
}

/** A change that its address never took. */
export interface DeadLetter {
  readonly webhook: string;
  readonly changeId: string;
  /** As it was posted. */
  readonly body: string;
  readonly reason: string;
  readonly attempts: number;
  readonly at: string;
  readonly replayedAt: string | null;
}

/** How far a webhook is. */
export interface WebhookStanding {
  readonly webhook: string;
  readonly changeId: string;
  readonly at: string;
  /** Changes to its datasets that are still to be told. */
  readonly waiting: number;
  /** Dead letters that were never taken. */
  readonly dead: number;
}

/** What outgoing webhooks keep in the warehouse that announces commits: how far each is, and what its address never took. */
export interface WebhookBooks extends AsyncDisposable {
  /** The next changes to these datasets, oldest first. Begins after `since` where the webhook has never told anything. */
  next(place: WebhookPlace, datasets: readonly string[], since: string, limit: number): Promise<readonly Change[]>;
  /** The address took a change, and all before it. Twice is once; an earlier change than the last one moves nothing. */
  taken(place: WebhookPlace, changeId: string): Promise<void>;
  /** A change is given up: it becomes a dead letter, and the next ones go on. Twice is once. */
  bury(place: WebhookPlace, letter: Pick<DeadLetter, 'changeId' | 'body' | 'reason' | 'attempts'>): Promise<void>;
  /** Dead letters, oldest first: of one webhook or all, those with these ids, `open` ones that no replay has brought through. */
  letters(query: {
    readonly project: string;
    readonly webhook?: string;
    readonly changeIds?: readonly string[];
    readonly open: boolean;
    readonly limit: number;
  }): Promise<readonly DeadLetter[]>;
  /** The address took a dead letter after all. Twice is once. */
  replayed(place: WebhookPlace, changeId: string): Promise<void>;
  /** How far a webhook is; undefined when it has never begun. */
  standing(place: WebhookPlace, datasets: readonly string[]): Promise<WebhookStanding | undefined>;
}
