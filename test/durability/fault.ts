import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dependencies } from '../../activities/dependencies.ts';
import type { ReadPages, Source, Warehouse } from '../../connectors/connector.ts';

/** The points of a load at which a worker can be lost, in their order. Those in the past tense: the work is done, its answer lost. */
export const points = [
  'plan',
  'prepare',
  'prepared',
  'extract',
  'extracted',
  'transform',
  'transformed',
  'load',
  'loaded',
  'commit',
  'committed',
] as const;
type Point = (typeof points)[number];

/** What befalls a worker at a point, once: SIGKILL, SIGSTOP, or waiting there until the file `<marker>.go` is there. */
export interface Fault {
  readonly point: Point;
  readonly how: 'kill' | 'stop' | 'hold';
  /** Made just before; while it is there nothing more happens. */
  readonly marker: string;
  /** Which arrival at the point counts: the first is 1. */
  readonly arrival: number;
}

/** Dependencies whose worker meets the armed fault. */
export function withFault(deps: Dependencies, armed: () => Fault | undefined): Dependencies {
  const arrivals = new Map<Fault, number>();
  const at = async (point: Point): Promise<void> => {
    const fault = armed();
    if (fault?.point !== point || existsSync(fault.marker)) return;
    const arrival = (arrivals.get(fault) ?? 0) + 1;
    arrivals.set(fault, arrival);
    if (arrival < fault.arrival) return;
    writeFileSync(fault.marker, '');
    if (fault.how !== 'hold') process.kill(process.pid, fault.how === 'kill' ? 'SIGKILL' : 'SIGSTOP');
    while (fault.how === 'hold' && !existsSync(`${fault.marker}.go`)) await sleep(20);
  };
  return {
    ...deps,
    staging: {
      ...deps.staging,
      write: async (name, ...rest) => {
        if (/\/plan[^/]*$/.test(name)) await at('plan');
        const file = await deps.staging.write(name, ...rest);
        if (name.includes('/extract-')) await at('extracted');
        return file;
      },
      local: async (file) => {
        setTimeout(() => void at('transform'), 20);
        return await deps.staging.local(file);
      },
      adopt: async (...args) => {
        await at('transformed');
        return await deps.staging.adopt(...args);
      },
    },
    openSource: async (connection, project) => faultySource(await deps.openSource(connection, project), at),
    openWarehouse: async (connection) => faultyWarehouse(await deps.openWarehouse(connection), at),
  };
}

type At = (point: Point) => Promise<void>;

function faultySource(source: Source, at: At): Source {
  return {
    ...source,
    read: async (request, attempt) => {
      const read = await source.read(request, attempt);
      const pages = async function* (): ReadPages['pages'] {
        for await (const page of read.pages) {
          yield page;
          await at('extract');
        }
      };
      return { ...read, pages: pages() };
    },
  };
}

/** The bytes of a file, its beginning alone first. */
async function* halting(bytes: AsyncIterable<Uint8Array>, at: At): AsyncIterable<Uint8Array> {
  for await (const chunk of bytes) {
    const half = chunk.length >> 1;
    yield chunk.subarray(0, half);
    await at('load');
    yield chunk.subarray(half);
  }
}

function faultyWarehouse(warehouse: Warehouse, at: At): Warehouse {
  return {
    ...warehouse,
    prepare: async (...args) => {
      await at('prepare');
      const prepared = await warehouse.prepare(...args);
      await at('prepared');
      return prepared;
    },
    load: async (load, prepared, file, no, bytes, attempt) => {
      const loaded = await warehouse.load(load, prepared, file, no, halting(bytes, at), attempt);
      await at('loaded');
      return loaded;
    },
    commit: async (...args) => {
      await at('commit');
      const committed = await warehouse.commit(...args);
      await at('committed');
      return committed;
    },
  };
}
