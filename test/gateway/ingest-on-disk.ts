/** Posts events to a gateway on a disk until it refuses, makes room, and posts again: `ingest-on-disk.ts <folder>`. Prints what happened as JSON. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { recoverSegments } from '../../gateway/ingest/recover.ts';
import { sealedNumbers } from '../../connectors/ingest/segments.ts';
import { openIngestGateway } from '../kits/ingest.ts';
import { until } from '../workflows/until.ts';
import { storedIds } from './stored-events.ts';

const [folder = ''] = process.argv.slice(2);
const room = join(folder, 'room');
await writeFile(room, Buffer.alloc(300_000));
const padding = 'x'.repeat(20_000);
const accepted: string[] = [];
const gateway = await openIngestGateway({ staging: join(folder, 'staging') });
const post = async (id: string): Promise<number> => {
  const { status } = await gateway.post({ event_id: id, page: { padding } });
  if (status === 202) accepted.push(id);
  return status;
};

let refused = 0;
for (let no = 0; refused === 0; no += 1) {
  const status = await post(`before ${no}`);
  if (status !== 202) refused = status;
}
await rm(room);
let again = 0;
for (let no = 0; no < 5; no += 1) again = await post(`after ${no}`);
await gateway.server.close();
await until(async () => {
  await recoverSegments(gateway.folder, () => []);
  return (await storedIds(gateway.folder)).length >= accepted.length;
}, 'segments');
const stored = await storedIds(gateway.folder);
const sealed = (await sealedNumbers(gateway.folder)).length;
console.log(
  JSON.stringify({ refused, again, same: stored.toSorted().join() === accepted.toSorted().join(), sealed, accepted: accepted.length }),
);
