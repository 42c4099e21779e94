import { join } from 'node:path';
import { openSource } from '../../connectors/files/source.ts';
import { describeSource } from '../kits/source.ts';
import { makeFolder } from './files-folder.ts';

describeSource('A folder of files', async () => {
  const folder = await makeFolder();
  await folder.put('orders.csv', `id,name\n${Array.from({ length: 12 }, (_, index) => `${index},"name ${index}"\n`).join('')}`);
  return {
    open: () => openSource({ type: 'files', path: folder.path }),
    openBroken: () => openSource({ type: 'files', path: join(folder.path, 'nowhere') }),
    secret: '',
    stream: 'orders.csv',
    columns: [
      { name: 'id', type: 'text' },
      { name: 'name', type: 'text' },
    ],
    key: [],
    rows: 12,
    partitionBytes: 1_000_000,
    onePartition: true,
    countsRows: false,
    wildcard: '*.csv',
    missing: { name: 'order.csv', nearest: 'orders.csv' },
    definition: { mode: 'append' },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
});
