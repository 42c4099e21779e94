import type { Dependencies } from '../activities/dependencies.ts';
import { openSync, openedPlan } from '../activities/open-sync.ts';
import { mostRows } from '../activities/send/plan-reader.ts';
import type { ApplicationLimits } from '../connectors/application.ts';
import type { Attempt } from '../connectors/connector.ts';
import type { SyncPreview } from '../schema/sync-books.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import { operations, type SyncOptions } from '../schema/sync.ts';

export interface PreviewSyncRequest {
  readonly sync: SyncDefinition;
  readonly options: Omit<SyncOptions, 'trigger'>;
  /** Rows to show. */
  readonly samples: number;
}

/** What sending would take. */
interface SyncEstimate {
  readonly requests: number;
  /** Where the application names a rate: by that alone; else undefined. */
  readonly seconds: number | undefined;
  /** Where the application bills by the field. */
  readonly cost?: { readonly unit: string; readonly units: number };
}

export interface PreviewedSync {
  readonly preview: SyncPreview;
  readonly estimate: SyncEstimate;
}

function requestsFor(preview: SyncPreview, limits: ApplicationLimits): number {
  const byRows = operations.reduce(
    (sum, operation) => sum + Math.ceil((preview.operations[operation] ?? 0) / mostRows(limits, operation)),
    0,
  );
  return byRows === 0 ? 0 : Math.max(byRows, Math.ceil(preview.bytes / limits.batchBytes));
}

function estimateOf(
  preview: SyncPreview,
  { limits, changedOnly, costUnit }: { limits: ApplicationLimits; changedOnly: boolean; costUnit?: string },
): SyncEstimate {
  const requests = requestsFor(preview, limits);
  const { rate } = limits;
  return {
    requests,
    seconds: rate === undefined ? undefined : Math.ceil(((requests / rate.requests) * rate.per) / 1000),
    ...(costUnit === undefined || !changedOnly ? {} : { cost: { unit: costUnit, units: preview.fields } }),
  };
}

/** What a run of a sync would do, and what that would take; writes nothing. */
export async function previewSync(deps: Dependencies, request: PreviewSyncRequest, attempt: Attempt): Promise<PreviewedSync> {
  const { sync, samples } = request;
  await using opened = await openSync(deps, sync);
  const options = { ...request.options, trigger: 'manual' } as const;
  await using plan = await openedPlan(deps, opened, { sync, options }, attempt);
  const preview = await opened.books.preview(plan.request, samples, attempt);
  return { preview, estimate: estimateOf(preview, opened.application) };
}
