/** What alerts are about. `recovered` ends a streak of failures or of lateness. */
export type AlertKind = 'failed' | 'recovered' | 'late' | 'rejected';

/** One message to people, sent once for each streak. It holds no values of rows and no secrets. */
export interface Alert {
  /** The same for every attempt to send it, so that a receiver can drop repeats. */
  readonly id: string;
  readonly kind: AlertKind;
  readonly project: string;
  /** The pipeline or model. */
  readonly name: string;
  /** When it happened, as an ISO date. */
  readonly at: string;
  /** One sentence. */
  readonly summary: string;
  /** A sentence for each stream or model that has something to say. */
  readonly details: readonly string[];
  readonly run?: { readonly workflowId: string; readonly runId: string };
}
