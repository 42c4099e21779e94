import assert from 'node:assert/strict';
import { sliceTime } from '../../activities/send/slice-time.ts';

describe('the time of a step that sends', () => {
  let clock = 0;
  const timeOf = (slice: number): ReturnType<typeof sliceTime> => sliceTime(slice, () => clock);
  /** Requests that end one after another, so many milliseconds apart; how many until the time is over. */
  const requestsUntilOver = (apart: (no: number) => number): number => {
    const time = timeOf(10_000);
    for (let no = 0; ; no += 1) {
      if (time.isOver()) return no;
      clock += apart(no);
      time.ended();
    }
  };

  it('is over when requests have ended for so long', () => {
    assert.equal(
      requestsUntilOver(() => 100),
      100,
    );
  });

  it('goes on over the waits for a limit, beyond the moment in which it lets requests pass again', () => {
    // 190 in 1.9 s, and a wait for the rest of ten seconds.
    const requests = requestsUntilOver((no) => (no > 0 && no % 190 === 0 ? 8_100 : 10));
    assert.ok(requests > 3 * 190 && requests < 5 * 190, `${requests} requests`);
  });

  it('is over after six times as long, whatever was waited for', () => {
    assert.equal(
      requestsUntilOver(() => 6_000),
      10,
    );
    const time = timeOf(10_000);
    clock += 59_999;
    assert.ok(!time.isOver());
    clock += 1;
    assert.ok(time.isOver());
  });
});
