/** The task queue of a project's workers. */
export const taskQueueOf = (project: string): string => `millrace-${project}`;

/** The workflow id of a manual run of a pipeline, model or sync, and the id of its schedule. */
export const runIdOf = (project: string, name: string): string => `${project}/${name}`;

/** The page of a workflow in the Temporal UI. */
export function pageAddress(ui: string, namespace: string, workflowId: string, runId?: string): string {
  const run = runId === undefined || runId === '' ? '' : `/${runId}/history`;
  return `${ui.replace(/\/$/, '')}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(workflowId)}${run}`;
}
