import { openPlace, type Place } from './place.ts';
import { assertRedoneOnce, describeTrials, takenOver, type Trial } from './trial.ts';

const trials: readonly Trial[] = [
  { mode: 'merge', point: 'prepare', how: 'kill' },
  { mode: 'replace', point: 'extract', how: 'kill', arrival: 2 },
  { mode: 'append', point: 'transform', how: 'kill', first: true },
  { mode: 'merge', point: 'load', how: 'kill', arrival: 2 },
  { mode: 'history', point: 'commit', how: 'kill' },
  { mode: 'append', point: 'committed', how: 'kill' },
  { mode: 'replace', point: 'plan', how: 'hold', meanwhile: (place, subject) => takenOver(place, subject, 'any') },
  { mode: 'append', point: 'load', how: 'wake', arrival: 2 },
  { mode: 'history', point: 'commit', how: 'wake' },
];

const title = ({ mode, point, how }: Trial): string => {
  if (how === 'kill') return `goes on by itself after kill -9 at ${point} (${mode})`;
  if (how === 'hold') return `is not harmed by an attempt at ${point} that hangs, is given up and then goes on (${mode})`;
  const when = how === 'wake' ? 'while another goes on' : 'after the run has ended';
  return `is not harmed by a worker that is stopped at ${point} and comes back ${when} (${mode})`;
};

describe('a run whose worker is lost', function () {
  this.timeout(300_000);
  let place: Place;
  before(async () => void (place = await openPlace()));
  after(() => place[Symbol.asyncDispose]());

  describeTrials(() => place, trials, { size: 4, title, check: assertRedoneOnce });
});
