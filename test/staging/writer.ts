/** A process that writes to a staging folder: `writer.ts <root> <bytes>`, `forever` for as many as it takes. Prints what happened as JSON. */
import { setImmediate } from 'node:timers/promises';
import { MillraceError } from '../../schema/errors.ts';
import { openFolderStaging } from '../../staging/folder.ts';

const [root = '', size = ''] = process.argv.slice(2);
const chunk = Buffer.alloc(64 * 1024, 'some bytes\n');

async function* bytes(): AsyncGenerator<Uint8Array> {
  const count = size === 'forever' ? Number.POSITIVE_INFINITY : Number(size) / chunk.byteLength;
  for (let written = 0; written < count; written++) {
    if (written === 64) console.log('under way');
    yield chunk;
    await setImmediate();
    if (size === 'forever' && written > 256) await new Promise(() => setInterval(() => undefined, 1000));
  }
}

const staging = await openFolderStaging(root);
try {
  const file = await staging.write('shop/orders/load/0.csv', { kind: 'csv' }, bytes(), () => 0, new AbortController().signal);
  console.log(JSON.stringify({ bytes: file.bytes }));
} catch (error) {
  if (!(error instanceof MillraceError)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
