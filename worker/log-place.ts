/** What a log line is about. */
export interface LogPlace {
  readonly pipeline?: string;
  readonly stream?: string;
}

/** A schedule appends the time to the ids of its runs. */
const startedAt = /-\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/** The place that a workflow id names: `<project>/<pipeline>` and `<project>/<pipeline>/<stream>`. */
export function placeOfWorkflow(workflowType: unknown, workflowId: unknown): LogPlace {
  if (typeof workflowId !== 'string') return {};
  const [project, pipeline, ...stream] = workflowId.split('/');
  if (project === undefined || pipeline === undefined) return {};
  if (workflowType === 'stream') return { pipeline, stream: stream.join('/') };
  return { pipeline: pipeline.replace(startedAt, '') };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** The load id in an activity's input: given with the plan's, and the folder of a plan's file. */
export function loadOf(input: unknown): string | undefined {
  if (!isObject(input)) return undefined;
  const { loadId, plan, name, store } = input;
  if (typeof loadId === 'string') return loadId;
  if (typeof name === 'string' && typeof store === 'string') return name.split('/').at(-2);
  return isObject(plan) ? loadOf(plan) : undefined;
}
