import { ingestTrial } from './ingest-trial.ts';
import { ownTemporal, type OwnServer } from './own-servers.ts';
import { openPlace, type Place } from './place.ts';

describe('events that are accepted while Temporal is away', function () {
  this.timeout(180_000);
  let temporal: OwnServer;
  let place: Place;
  before(async () => {
    temporal = await ownTemporal();
    place = await openPlace({ temporal: temporal.address });
  });
  after(async () => {
    await place[Symbol.asyncDispose]();
    await temporal[Symbol.asyncDispose]();
  });

  it('are in the warehouse once when it is back', async () => await ingestTrial(place, { kills: 0, lost: temporal }));
});
