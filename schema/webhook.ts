import type { ConnectionDefinition } from './definition-parts.ts';

/** How long an address that doesn't take a change is tried. Times are milliseconds. */
export interface Patience {
  /** Wait after the first attempt; each later one is twice as long. */
  readonly first: number;
  readonly longest: number;
  /** Attempts at an address that can't be reached, or is in trouble, until the change becomes a dead letter. */
  readonly attempts: number;
  /** The same at an address that refuses for good, and at one that has just let another change become a dead letter. */
  readonly refusals: number;
}

/** About a day: 10 s, 20 s, … an hour, and then each hour. */
export const dayOfPatience: Patience = { first: 10_000, longest: 3_600_000, attempts: 32, refusals: 3 };

/** An outgoing webhook, as its workflow is given it. */
export interface OutgoingWebhook {
  readonly project: string;
  readonly name: string;
  /** A webhook connection; secrets are references. */
  readonly to: ConnectionDefinition;
  /** `schema.table`, or `schema.*`. */
  readonly datasets: readonly string[];
  /** The warehouse that has the gateway's books. */
  readonly books: ConnectionDefinition;
  readonly patience: Patience;
  readonly heartbeatTimeout: number;
}

/** Where a webhook's attempts at one change stand; passed on when its workflow continues as new. */
interface Trouble {
  readonly changeId: string;
  readonly attempts: number;
}

export interface WebhookRun {
  readonly webhook: OutgoingWebhook;
  /** Where a webhook that has never told anything begins: changes after this id. */
  readonly since: string;
  readonly trouble?: Trouble;
  /** The last change became a dead letter. */
  readonly gaveUp?: boolean;
}

export interface ReplayRun {
  readonly webhook: OutgoingWebhook;
  /** Ids of changes, oldest first. */
  readonly changeIds: readonly string[];
}

export interface ReplayReport {
  readonly taken: readonly string[];
  readonly refused: readonly { readonly changeId: string; readonly reason: string }[];
}

/** What an address said to one change. */
export type Posted =
  | { readonly kind: 'taken' }
  /** `lasting`: the same again will be refused again. `retryAfter`: milliseconds that it asks to wait. */
  | { readonly kind: 'refused'; readonly reason: string; readonly lasting: boolean; readonly retryAfter?: number };
