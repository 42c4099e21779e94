import { ingestTrial } from './ingest-trial.ts';
import { openPlace, type Place } from './place.ts';

describe('events that were accepted are in the warehouse once', function () {
  this.timeout(600_000);
  let place: Place;
  before(async () => void (place = await openPlace()));
  after(() => place[Symbol.asyncDispose]());

  it('after many kills of the gateway', async () => await ingestTrial(place, { kills: 12 }));

  for (const point of ['plan', 'prepared', 'extract', 'load', 'loaded', 'commit', 'committed'] as const)
    it(`after kill -9 of the worker at ${point}`, async () => await ingestTrial(place, { kills: 1, workerAt: point }));
});
