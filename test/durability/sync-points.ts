import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dependencies } from '../../activities/dependencies.ts';
import type { Application } from '../../connectors/application.ts';
import type { SyncBooks } from '../../connectors/sync-books.ts';

/** The points of a sync's run at which a worker can be lost, in their order. Those in the past tense: the work is done, its answer lost. */
export type SyncPoint = 'plan' | 'planned' | 'send' | 'sent' | 'record' | 'recorded' | 'poll' | 'polled' | 'find' | 'found';

/** Where a sync's run stays until its worker is killed, or until the file `<marker>.go` is there. */
export interface SyncFault {
  /** The sync's name, and that of the connection that it sends to. */
  readonly sync: string;
  readonly point: SyncPoint;
  /** Which arrival at the point is the first that stays there: 1 is the first of all. */
  readonly arrival: number;
  /** Made on arrival. */
  readonly marker: string;
}

type At = (sync: string, point: SyncPoint) => Promise<void>;

/** Dependencies whose worker stays at the points of armed faults. */
export function withSyncFaults(deps: Dependencies, armed: () => readonly SyncFault[]): Dependencies {
  const arrivals = new Map<SyncFault, number>();
  const at: At = async (sync, point) => {
    const fault = armed().find((one) => one.sync === sync && one.point === point);
    if (fault === undefined) return;
    const arrival = (arrivals.get(fault) ?? 0) + 1;
    arrivals.set(fault, arrival);
    if (arrival < fault.arrival) return;
    writeFileSync(fault.marker, '');
    while (!existsSync(`${fault.marker}.go`)) await sleep(20);
  };
  return {
    ...deps,
    openApplication: async (connection, ...rest) => faultyApplication(connection.name, await deps.openApplication(connection, ...rest), at),
    openSyncBooks: async (connection) => faultyBooks(await deps.openSyncBooks(connection), at),
  };
}

function faultyApplication(sync: string, application: Application, at: At): Application {
  const poll = application.poll?.bind(application);
  const find = application.find?.bind(application);
  const around = async <Result>(before: SyncPoint, after: SyncPoint, work: () => Promise<Result>): Promise<Result> => {
    await at(sync, before);
    const result = await work();
    await at(sync, after);
    return result;
  };
  return {
    ...application,
    send: (...args) => around('send', 'sent', () => application.send(...args)),
    ...(poll === undefined ? {} : { poll: (...args) => around('poll', 'polled', () => poll(...args)) }),
    ...(find === undefined ? {} : { find: (...args) => around('find', 'found', () => find(...args)) }),
  };
}

function faultyBooks(books: SyncBooks, at: At): SyncBooks {
  return {
    ...books,
    plan: async (request, attempt) => {
      await at(request.run.sync, 'plan');
      const plan = await books.plan(request, attempt);
      await at(request.run.sync, 'planned');
      return plan;
    },
    record: async (hold, rows, attempt) => {
      await at(hold.run.sync, 'record');
      const counts = await books.record(hold, rows, attempt);
      await at(hold.run.sync, 'recorded');
      return counts;
    },
  };
}
