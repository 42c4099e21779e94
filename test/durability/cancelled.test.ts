import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { assertBooksBalance } from '../kits/books.ts';
import { busySessions, snapshot } from '../workflows/sessions.ts';
import { until } from '../workflows/until.ts';
import { openPlace, type Place } from './place.ts';
import { assertSame } from './rows.ts';
import { lose, open, subjectOf, type Trial } from './trial.ts';
import { startWorkerProcess } from './worker-process.ts';

describe('a run that is cancelled while a worker hangs in the COPY of a file', function () {
  this.timeout(240_000);
  let place: Place;
  before(async () => void (place = await openPlace()));
  after(() => place[Symbol.asyncDispose]());

  it('is given up, and the COPY that goes on later can change nothing', async () => {
    const trial: Trial = { mode: 'merge', point: 'load', how: 'hold', arrival: 2 };
    const subject = subjectOf(place, trial);
    await using worker = startWorkerProcess();
    const run = await lose(place, subject, trial, worker);
    const hasCopy = async () => (await busySessions(place.warehouse)).some((session) => session.includes('COPY'));
    await until(hasCopy, 'session that holds the load table');
    await place.client.workflow.getHandle(run.workflowId).cancel();
    const outcome = await subject.ended(run);
    assert.deepEqual([outcome.ok, !outcome.ok && outcome.code], [false, 'cancelled']);
    await until(async () => (await busySessions(place.warehouse)).length === 0, 'end of all sessions');
    const given = await snapshot(place.warehouse, 'landed');
    assert.deepEqual(given[4], [], 'no load table is left');
    writeFileSync(`${subject.marker}.go`, '');
    await worker.ask({ close: true });
    assert.deepEqual(await snapshot(place.warehouse, 'landed'), given);
    await open(place, subject, place.healthy());
    const next = await subject.ended(await subject.start());
    assert.ok(next.ok, JSON.stringify(next));
    await assertSame(place.source, place.warehouse, subject.table, trial.mode);
    await assertBooksBalance(place.warehouse);
  });
});
