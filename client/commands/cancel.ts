import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { Unsuccessful } from '../command-line/failure.ts';
import { projectCommand, positive, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { named, openProject } from '../command-line/project.ts';
import { connectProject } from '../command-line/servers.ts';
import { hasWorker } from '../command-line/worker.ts';
import { loadsEvents } from '../ingest-standing.ts';
import { taskQueueOf } from '../names.ts';
import { cancelRuns, type PastRun } from '../run-history.ts';
import type { Runnable } from '../runs.ts';

interface Options extends ProjectOptions {
  readonly wait: number;
}

/** Waits until a run has ended; false after so many seconds. */
async function hasEnded(client: Client, { workflowId, runId }: PastRun, seconds: number): Promise<boolean> {
  const until = Date.now() + seconds * 1000;
  while (Date.now() < until) {
    const { status } = await client.workflow.getHandle(workflowId, runId).describe();
    if (status.name !== 'RUNNING') return true;
    await sleep(250);
  }
  return false;
}

function whatStays({ kind, definition }: Runnable): string {
  if (kind === 'sync') return 'the books have what was acknowledged';
  if (kind === 'pipeline' && loadsEvents(definition))
    return `events wait; the next that comes starts it again (to hold it: millrace pause ${definition.name})`;
  return 'rows, cursor and books are as they were';
}

async function cancel(name: string, options: Options): Promise<void> {
  const output = outputOf({});
  const project = await openProject(options);
  const { runnable } = named(project, name);
  await using connected = await connectProject(project);
  const runs = await cancelRuns(connected.client, runnable);
  if (runs.length === 0) return output.line(`${name} is not running.`);
  if (!(await hasWorker(connected.client, taskQueueOf(project.name)))) {
    output.line(`${name}: asked to stop; no worker is up to end its steps: start one with millrace worker or millrace up`);
    throw new Unsuccessful();
  }
  const ended = await Promise.all(runs.map((run) => hasEnded(connected.client, run, options.wait)));
  const kept = whatStays(runnable);
  runs.forEach((run, index) => {
    const what = ended[index] === true ? `cancelled; ${kept}` : 'asked to stop; its steps are still ending';
    output.line(`${name}: ${what}: ${connected.page(run)}`);
  });
  if (ended.includes(false)) throw new Unsuccessful();
}

/** `millrace cancel` */
export const command = (): Command =>
  projectCommand(
    'cancel',
    'Stops the runs of a pipeline, model or sync that are under way: their work stops, and their loads are given up; a sync lets requests under way end first.',
    ['millrace cancel shop'],
  )
    .argument('<name>', 'a pipeline, model or sync')
    .option('--wait <seconds>', 'how long to wait for the end', positive, 60)
    .action(cancel);
