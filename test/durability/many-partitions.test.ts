import assert from 'node:assert/strict';
import { assertBooksBalance } from '../kits/books.ts';
import { sql } from '../pipeline-kit.ts';
import { childRunOf, eventsOf, resultSizes, stepsOf } from './events.ts';
import { ownTemporal, type OwnServer } from './own-servers.ts';
import { openPlace, type Place } from './place.ts';
import { assertSame, makeTable } from './rows.ts';
import { open, streamId, subjectOf } from './trial.ts';

describe('a stream of 256 partitions', function () {
  this.timeout(300_000);
  let temporal: OwnServer;
  let place: Place;

  before(async () => {
    temporal = await ownTemporal(['limit.historyCount.suggestContinueAsNew=600']);
    place = await openPlace({ temporal: temporal.address });
  });
  after(async () => {
    await place[Symbol.asyncDispose]();
    await temporal[Symbol.asyncDispose]();
  });

  it('goes on as a new run when its history gets long, as one load that reads nothing twice, with results below 64 KiB', async () => {
    const subject = subjectOf(place, {
      mode: 'append',
      point: 'commit',
      how: 'hold',
      first: true,
      partitionBytes: 64,
      heartbeatTimeout: 60_000,
    });
    await makeTable(place.source, subject.table);
    await open(place, subject, place.healthy());
    const run = await subject.start();
    const outcome = await subject.ended(run);
    assert.ok(outcome.ok, JSON.stringify(outcome));
    await assertSame(place.source, place.warehouse, subject.table, 'append');
    assert.equal(await assertBooksBalance(place.warehouse), 1);

    const parent = await eventsOf(place.client, run.workflowId, run.runId);
    const events = await eventsOf(place.client, streamId(subject), childRunOf(parent));
    const continued = events.filter((event) => event.workflowExecutionContinuedAsNewEventAttributes).length;
    const steps = stepsOf(events);
    const once = { asked: 1, again: 0 };
    assert.ok(continued >= 3, `${continued} times continued`);
    assert.deepEqual([steps['plan'], steps['prepare'], steps['commit']], [once, once, once]);
    assert.deepEqual(steps['extract'], { asked: 256, again: 0 });
    assert.deepEqual(steps['load'], { asked: 256, again: 0 });
    const large = resultSizes([...parent, ...events]).filter(({ bytes }) => bytes >= 64 * 1024);
    assert.deepEqual(large, []);

    const [report] = outcome.report?.streams ?? [];
    const loads = await sql(place.warehouse, 'SELECT load_id FROM _millrace.loads');
    assert.deepEqual([{ load_id: report?.loadId }], loads);
  });
});
