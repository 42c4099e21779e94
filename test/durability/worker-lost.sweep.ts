import { modes } from '../../schema/definition.ts';
import { points } from './fault.ts';
import { openPlace, type Place } from './place.ts';
import { assertRedoneOnce, describeTrials, nameOf, type Trial } from './trial.ts';

/** Every point in every mode by kill -9, the first load and later ones in turn; the points that write by a stop, too. */
const killed = points.flatMap((point, at) =>
  modes.map((mode, index): Trial => ({ mode, point, how: 'kill', ...((at + index) % 2 === 0 ? { first: true } : {}) })),
);
const writing = ['plan', 'load', 'commit'] as const;
const stopped = writing.flatMap((point) =>
  modes.flatMap((mode): Trial[] => [
    { mode, point, how: 'wake' },
    ...(point === 'load' ? [{ mode, point, how: 'stop', arrival: 2 } as const] : []),
  ]),
);
const trials = [...killed, ...stopped];

describe(`a run whose worker is lost: ${points.length} points × ${modes.length} modes, ${trials.length} trials`, function () {
  this.timeout(1_200_000);
  let place: Place;
  before(async () => void (place = await openPlace()));
  after(() => place[Symbol.asyncDispose]());

  describeTrials(() => place, trials, { size: 6, title: nameOf, check: assertRedoneOnce });
});
