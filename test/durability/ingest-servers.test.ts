import { ingestTrial } from './ingest-trial.ts';
import { ownPostgres, type OwnServer } from './own-servers.ts';
import { openPlace, type Place } from './place.ts';

describe('events that are accepted while the warehouse is away', function () {
  this.timeout(300_000);
  let warehouse: OwnServer;
  let place: Place;
  before(async () => {
    warehouse = await ownPostgres();
    place = await openPlace({ warehouse: warehouse.address });
  });
  after(async () => {
    await place[Symbol.asyncDispose]();
    await warehouse[Symbol.asyncDispose]();
  });

  it('are in the warehouse once when it is back', async () => await ingestTrial(place, { kills: 0, lost: warehouse }));
});
