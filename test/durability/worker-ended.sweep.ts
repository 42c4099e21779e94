import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { runOutcome, startRun } from '../../client/runs.ts';
import { pipelineOf, sql } from '../pipeline-kit.ts';
import { busySessions } from '../workflows/sessions.ts';
import { until } from '../workflows/until.ts';
import { eventsOf, stepsOf } from './events.ts';
import { openPlace, uniqueProject, type Place } from './place.ts';
import { startWorkerProcess } from './worker-process.ts';

describe('a worker that is asked to end (SIGTERM) in a step longer than its grace', function () {
  this.timeout(180_000);
  let place: Place;
  before(async () => void (place = await openPlace()));
  after(() => place[Symbol.asyncDispose]());

  it('ends, and hands the step on at once instead of letting it time out', async () => {
    await sql(place.source, 'CREATE VIEW asleep AS SELECT i AS id FROM generate_series(1, 3) i, pg_sleep(30)');
    const project = uniqueProject();
    const order = { open: project, staging: join(place.folder, project), temporal: place.temporal, bundle: place.bundle };
    await using worker = startWorkerProcess();
    await worker.ask(order);
    const definition = pipelineOf(project, 'ended', { from: place.source, to: place.warehouse, streams: [{ stream: 'asleep' }] });
    const runnable = { kind: 'pipeline', definition } as const;
    const run = await startRun(place.client, runnable, { fullRefresh: false }, 'test');
    await until(async () => (await busySessions(place.source)).some((session) => session.includes('COPY')), 'extract');
    const exit = once(worker.child, 'exit');
    worker.child.kill('SIGTERM');
    await place.healthy().ask(order);
    await exit;
    const handed = Date.now();
    const outcome = await runOutcome(place.client, runnable, run);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    assert.ok(Date.now() - handed < 50_000, 'sooner than a heartbeat time-out and the step together');
    assert.deepEqual(stepsOf(await eventsOf(place.client, `${project}/ended/asleep`))['extract'], { asked: 1, again: 1 });
  });
});
