import { type ApplicationFailure, sleep } from '@temporalio/workflow';
import type { DeliverRun, LeftJobs, SyncProgress } from '../schema/sync.ts';
import { failWith } from './failure.ts';
import { endSyncSteps, syncSteps } from './steps.ts';
import type { SyncTrack } from './sync-track.ts';

/** Jobs of an earlier run are waited for this long; then the run fails, and the next goes on waiting. */
const longest = 60 * 60_000;

function stillAtWork({ sync }: DeliverRun, jobs: SyncProgress['jobs']): ApplicationFailure {
  const handles = jobs.map(({ handle }) => handle).join(', ');
  const message = `sync ${sync.name}: ${sync.to.name} still works on jobs of an earlier run (${handles.slice(0, 500)}), so nothing was planned. End them there, or say that they are lost: millrace retry ${sync.name} --unknown lost`;
  return failWith({ code: 'conflict', message });
}

/**
 * Asks about the jobs that an earlier run left behind until all of them have ended, and closes its books: a row that a job still works on
 * must be neither looked up nor sent. Rows of jobs that are lost stay as they are, and are settled by what is planned then.
 */
export async function finishJobs(run: DeliverRun, left: LeftJobs, track: SyncTrack): Promise<void> {
  const { sync } = run;
  const steps = syncSteps(sync.heartbeatTimeout);
  const until = Date.now() + longest;
  const { columns, counts, of } = left;
  let progress: SyncProgress = { position: counts.planned + 1, jobs: left.jobs, counts, sent: true, after: 0 };
  while (progress.jobs.length > 0) {
    if (Date.now() > until) throw stillAtWork(run, progress.jobs);
    track.update({ step: 'wait for jobs of an earlier run', jobs: progress.jobs.length });
    if (progress.after > 0) await sleep(Math.max(1000, progress.after));
    progress = await steps.pollJobs.executeWithOptions({ summary: `ask about jobs of an earlier run of ${sync.name}` }, [
      { run: left.run, sync: { ...sync, ...of }, columns, planned: counts.planned, progress, lastChance: false },
    ]);
  }
  await endSyncSteps(sync.heartbeatTimeout).endSync.executeWithOptions({ summary: `end an earlier run of ${sync.name}` }, [
    { run: left.run, sync, failure: 'given up: it never ended, and a later run fetched the results of its jobs' },
  ]);
  track.update({ step: 'plan', jobs: 0 });
}
