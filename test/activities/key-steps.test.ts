import assert from 'node:assert/strict';
import { keySteps } from '../../activities/key-steps.ts';
import type { Step } from '../../schema/step.ts';

const of = (steps: readonly Step[], ...key: string[]): readonly Step[] => keySteps(steps, key, 'stream orders');

describe('the steps that give a key', () => {
  it('read the key columns alone', () => {
    assert.deepEqual(of([], 'id'), [{ select: ['id'] }]);
    assert.deepEqual(of([{ drop: ['note'] }, { filter: 'id > 5' }, { trim: ['note'] }, { cast: { note: 'date' } }], 'id'), [
      { select: ['id'] },
    ]);
  });

  it('follow names back through renames, swaps too', () => {
    assert.deepEqual(of([{ rename: { code: 'id', id: 'code' } }, { trim: ['code', 'id'] }], 'id'), [
      { select: ['code'] },
      { rename: { code: 'id' } },
      { trim: ['id'] },
      { select: ['id'] },
    ]);
  });

  it('let what cannot be cast be no key, for its row was refused', () => {
    assert.deepEqual(of([{ cast: { id: { to: 'bigint', on_failure: 'fail' }, note: 'date' } }], 'id'), [
      { select: ['id'] },
      { cast: { id: { to: 'bigint', on_failure: 'null' } } },
      { select: ['id'] },
    ]);
  });

  it('read all columns where an expression makes a key', () => {
    const steps: readonly Step[] = [
      { rename: { a: 'b' } },
      { dedupe: { key: ['b'], order: ['b'] } },
      { derive: { id: 'b || c' } },
      { drop: ['c'] },
    ];
    assert.deepEqual(of(steps, 'id'), [{ rename: { a: 'b' } }, { derive: { id: 'b || c' } }, { select: ['id'] }]);
  });
});
