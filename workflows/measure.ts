import { log, metricMeter } from '@temporalio/workflow';
import type { RunReport, StreamReport } from '../schema/run.ts';
import type { SyncReport } from '../schema/sync.ts';

/** Counters and durations of runs; they leave by the worker's metrics endpoint, and a replay doesn't count again. */
export function measureRun(pipeline: string, status: RunReport['status'] | 'cancelled', seconds: number): void {
  log.info('run ended', { status, seconds });
  metricMeter.createCounter('millrace_runs_total', undefined, 'Runs that ended.').add(1, { pipeline, status });
  metricMeter.createHistogram('millrace_run_seconds', 'float', 's', 'Duration of runs.').record(seconds, { pipeline, status });
}

const outcomes = ['loaded', 'rejected', 'filtered', 'duplicates', 'unchanged'] as const;

/** Rows and bytes of one stream of a run. */
export function measureStream(pipeline: string, report: StreamReport): void {
  const { stream, read, loaded, rejected, filtered, duplicates, unchanged, seconds } = report;
  if (report.status === 'loaded') {
    log.info('stream loaded', { load: report.loadId, read, loaded, rejected, filtered, duplicates, unchanged, seconds });
    const rows = metricMeter.createCounter('millrace_rows_total', undefined, 'Rows of committed loads, by what became of them.');
    for (const outcome of outcomes) rows.add(report[outcome], { pipeline, stream, outcome });
    metricMeter
      .createCounter('millrace_bytes_total', 'By', 'Bytes of committed loads, as they were staged.')
      .add(report.bytes, { pipeline, stream });
  }
  metricMeter
    .createCounter('millrace_rejections_total', undefined, 'Rows refused, in loads that failed too.')
    .add(report.rejected, { pipeline, stream });
}

const syncOutcomes = ['acknowledged', 'rejected', 'unknown', 'invalid'] as const;

/** Rows of one run of a sync, by what became of them. */
export function measureSync(report: SyncReport): void {
  const { sync, planned, acknowledged, rejected, unknown, invalid, seconds } = report;
  log.info('rows sent', { planned, acknowledged, rejected, unknown, invalid, seconds });
  const rows = metricMeter.createCounter('millrace_sync_rows_total', undefined, 'Rows of runs of syncs, by what became of them.');
  for (const outcome of syncOutcomes) rows.add(report[outcome], { sync, outcome });
}
