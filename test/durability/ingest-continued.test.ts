import { ingestTrial } from './ingest-trial.ts';
import { ownTemporal, type OwnServer } from './own-servers.ts';
import { openPlace, type Place } from './place.ts';

describe('events whose workflow has a long history', function () {
  this.timeout(300_000);
  let temporal: OwnServer;
  let place: Place;
  before(async () => {
    temporal = await ownTemporal(['limit.historyCount.suggestContinueAsNew=60']);
    place = await openPlace({ temporal: temporal.address });
  });
  after(async () => {
    await place[Symbol.asyncDispose]();
    await temporal[Symbol.asyncDispose]();
  });

  it('go on in a new run, none of them lost or doubled', async () => await ingestTrial(place, { kills: 0, runs: 2 }));
});
