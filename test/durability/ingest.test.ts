import { ingestTrial } from './ingest-trial.ts';
import { openPlace, type Place } from './place.ts';

describe('events that were accepted', function () {
  this.timeout(240_000);
  let place: Place;
  before(async () => void (place = await openPlace()));
  after(() => place[Symbol.asyncDispose]());

  it('are in the warehouse once, after kill -9 of the gateway in the midst of requests', async () =>
    await ingestTrial(place, { kills: 2 }));

  it('are in the warehouse once, after kill -9 of gateway and worker', async () =>
    await ingestTrial(place, { kills: 1, workerAt: 'commit' }));
});
