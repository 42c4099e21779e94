import type { Client } from '@temporalio/client';
import { Runtime, type MetricsExporterConfig } from '@temporalio/worker';

/** SDK metrics and ours by one Prometheus endpoint, on the loopback interface only. */
export function metricsOptions(project: string, port: number): MetricsExporterConfig {
  return {
    attachServiceName: false,
    globalTags: { project },
    prometheus: {
      bindAddress: `127.0.0.1:${port}`,
      useSecondsForDurations: true,
      histogramBucketOverrides: { millrace_run_seconds: [1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600] },
    },
  };
}

const lookEvery = 15_000;
/** Streams of a project that are looked for. */
const mostStreams = 2000;

/** Finds when each stream last succeeded, in the runs that the server lists; by workflow id. */
async function lastSuccesses(client: Client, project: string, since: Date | undefined): Promise<ReadonlyMap<string, number>> {
  const prefix = `${project}/`.replaceAll("'", "''");
  const recent = since === undefined ? '' : ` AND CloseTime > '${since.toISOString()}'`;
  const query = `WorkflowType = 'stream' AND ExecutionStatus = 'Completed' AND WorkflowId STARTS_WITH '${prefix}'${recent}`;
  const found = new Map<string, number>();
  let seen = 0;
  for await (const { workflowId, closeTime } of client.workflow.list({ query })) {
    found.set(workflowId, Math.max(found.get(workflowId) ?? 0, closeTime?.getTime() ?? 0));
    if ((seen += 1) === mostStreams) break;
  }
  return found;
}

/**
 * Keeps `millrace_stream_lag_seconds`: the time since each stream last succeeded, on whichever worker, as Temporal knows it. A look that
 * fails leaves the lag growing.
 */
export function measureLag(client: Client, project: string): Disposable {
  const gauge = Runtime.instance().metricMeter.createGauge(
    'millrace_stream_lag_seconds',
    'float',
    's',
    'Time since the last load of a stream was committed.',
  );
  const successes = new Map<string, number>();
  let since: Date | undefined;
  const look = async (): Promise<void> => {
    const started = Date.now();
    try {
      for (const [id, at] of await lastSuccesses(client, project, since)) successes.set(id, Math.max(successes.get(id) ?? 0, at));
      // The list of runs is a little behind.
      since = new Date(started - 60_000);
    } catch {
      // The health endpoint says that Temporal can't be reached.
    }
    for (const [id, at] of successes) {
      const [, pipeline = '', ...stream] = id.split('/');
      gauge.set(Math.max(0, (Date.now() - at) / 1000), { pipeline, stream: stream.join('/') });
    }
  };
  void look();
  const timer = setInterval(() => void look(), lookEvery);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
