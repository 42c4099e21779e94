import assert from 'node:assert/strict';
import { renamedBy, stepsAgain, valuesOf } from '../../activities/retried-row.ts';
import type { Step } from '../../schema/step.ts';

describe('a rejected row that is taken up again', () => {
  const names = ['a', 'b', 'c'];
  const values = (row: object, taken: readonly Step[]): unknown => {
    const retried = valuesOf(row, { names: new Set(names), renamed: renamedBy(names, taken) });
    return 'values' in retried ? retried.values : 'left alone';
  };

  it('gets the names that its source has, whether it was read with or without the renames', () => {
    const taken: readonly Step[] = [{ rename: { a: 'x' } }, { drop: ['c'] }];
    assert.deepEqual(values({ x: '1', b: null }, taken), { a: '1', b: null });
    assert.deepEqual(values({ a: '1', b: null, c: '3' }, taken), { a: '1', b: null, c: '3' });
    assert.equal(values({ y: '1' }, taken), 'left alone');
  });

  it('is left alone where its names may mean one column or another', () => {
    assert.equal(values({ a: '1', b: '2', c: '3' }, [{ rename: { a: 'b', b: 'a' } }]), 'left alone');
  });

  it('passes no filter again on a column that the query left out behind it', () => {
    const steps: readonly Step[] = [{ filter: { c: { eq: 1 } } }, { drop: ['c'] }, { filter: { b: { eq: 1 } } }, { trim: 'all' }];
    assert.deepEqual(stepsAgain(steps, 4), steps.slice(1));
    assert.deepEqual(stepsAgain(steps, 1), steps);
  });
});
