import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { assertBooksBalance } from '../kits/books.ts';
import { ownPostgres, ownTemporal, type OwnServer } from './own-servers.ts';
import { openPlace, type Place } from './place.ts';
import { assertRedoneOnce, describeTrials, survive, takenOver, type Survival, type Trial } from './trial.ts';

/** Lets `size` callers wait for each other, then acts once for all of them. */
function together(size: number, act: () => Promise<void>): () => Promise<void> {
  const waiting: (() => void)[] = [];
  let acted: Promise<void> | undefined;
  return async () => {
    if (waiting.length + 1 < size) await new Promise<void>((resolve) => waiting.push(resolve));
    else for (const go of waiting) go();
    await (acted ??= act());
  };
}

const patient = { how: 'hold', heartbeatTimeout: 60_000 } as const;

describe('a run whose warehouse crashes', function () {
  this.timeout(300_000);
  let server: OwnServer;
  let place: Place;
  const crash = together(3, async () => {
    await server.crash();
    await server.start();
  });
  const trials: readonly Trial[] = [
    { mode: 'merge', point: 'commit', ...patient, meanwhile: crash },
    { mode: 'history', point: 'load', arrival: 2, ...patient, meanwhile: crash },
    { mode: 'replace', point: 'commit', ...patient, meanwhile: crash },
  ];
  const titles: Readonly<Record<string, string>> = {
    merge: 'between load and commit loads its staged files again, and reads nothing again (merge)',
    history: 'between two files goes on, and finds out that the first is gone (history)',
    replace: 'between load and commit of a logged table goes on with what it holds (replace)',
  };

  /** Unlogged tables are empty after a crash, logged ones aren't; the source isn't asked again. */
  const check = ({ trial, steps }: Survival): void => {
    const asked = (name: string): number => steps[name]?.asked ?? 0;
    const times = trial.mode === 'replace' ? 1 : 2;
    const wanted = [1, times, 0, times * asked('extract')];
    assert.deepEqual([asked('plan'), asked('prepare'), steps['extract']?.again, asked('load')], wanted, JSON.stringify(steps));
  };

  before(async () => {
    server = await ownPostgres();
    place = await openPlace({ warehouse: server.address });
  });
  after(async () => {
    await place[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  describeTrials(() => place, trials, { size: 3, title: ({ mode }) => titles[mode] ?? mode, check });
});

describe('a run whose source or whose Temporal is lost', function () {
  this.timeout(300_000);
  let source: OwnServer;
  let temporal: OwnServer;
  let place: Place;

  before(async () => {
    [source, temporal] = await Promise.all([ownPostgres(), ownTemporal()]);
    place = await openPlace({ source: source.address, temporal: temporal.address });
  });
  after(async () => {
    await place[Symbol.asyncDispose]();
    await Promise.all([source[Symbol.asyncDispose](), temporal[Symbol.asyncDispose]()]);
  });

  it('goes on by itself when its source is back, with the partition at hand read again', async () => {
    const survival = await survive(place, {
      mode: 'merge',
      point: 'extract',
      ...patient,
      async meanwhile(_, subject) {
        await source.crash();
        writeFileSync(`${subject.marker}.go`, '');
        await takenOver(place, subject, 'any');
        await source.start();
      },
    });
    assertRedoneOnce(survival);
    assert.ok((survival.steps['extract']?.again ?? 0) > 0);
    await assertBooksBalance(place.warehouse);
  });

  it('goes on by itself after kill -9 of Temporal and its start on the same data', async () => {
    const survival = await survive(place, {
      mode: 'append',
      point: 'load',
      arrival: 2,
      ...patient,
      async meanwhile() {
        await temporal.crash();
        await temporal.start();
      },
    });
    assertRedoneOnce(survival);
    await assertBooksBalance(place.warehouse);
  });
});
