import type { Dependencies } from '../activities/dependencies.ts';
import { openSync, openedPlan } from '../activities/open-sync.ts';
import type { Attempt } from '../connectors/connector.ts';
import type { Column } from '../schema/column.ts';
import type { Explanation } from '../schema/sync-books.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import type { SyncOptions } from '../schema/sync.ts';
import { requestsOf, type ShownRequest } from './shown-request.ts';

export interface ExplainSyncRequest {
  readonly sync: SyncDefinition;
  readonly options: Omit<SyncOptions, 'trigger'>;
  /** The model's key as text. */
  readonly key: string;
}

export interface ExplainedSync {
  readonly explanation: Explanation;
  /** What the next run would ask of the application for this row alone, without secrets; empty when it would send nothing. */
  readonly requests: readonly ShownRequest[];
}

async function columnsOf(deps: Dependencies, { warehouse, model }: SyncDefinition, attempt: Attempt): Promise<readonly Column[]> {
  await using opened = await deps.openWarehouse(warehouse);
  await using rows = await opened.query(model.sql, attempt);
  return rows.columns;
}

/** Why a row was or wasn't sent, and what the next run would ask the application for it. Sends nothing. */
export async function explainSync(deps: Dependencies, request: ExplainSyncRequest, attempt: Attempt): Promise<ExplainedSync> {
  const { sync, key } = request;
  await using opened = await openSync(deps, sync);
  const options = { ...request.options, trigger: 'manual' } as const;
  await using plan = await openedPlan(deps, opened, { sync, options }, attempt);
  const explanation = await opened.books.explain(plan.request, key, attempt);
  return { explanation, requests: await requestsOf(deps, sync, explanation, attempt, await columnsOf(deps, sync, attempt)) };
}
