import assert from 'node:assert/strict';
import { operationsOf } from '../../activities/operations.ts';
import { defineSync } from '../kits/sync-definition.ts';

describe('operations of a list', () => {
  const list = { add: 'upsert', remove: 'upsert' } as const;
  const match = [{ column: 'email', field: 'email' }];
  const modelOf = (...key: readonly string[]) => ({ name: 'members', sql: 'SELECT 1', key: [...key], after: [] });

  for (const mode of ['add', 'remove', 'mirror'] as const) {
    it(`mode ${mode} refuses a match that is no part of the key, and says how to mend it`, () => {
      assert.throws(() => operationsOf(defineSync({ mode, match, model: modelOf('id') }), list), {
        code: 'config',
        message:
          /sync things: members are found by email, but the key of model members is id: .* Give the model the key that finds members: key: email$/,
      });
    });

    it(`mode ${mode} takes a match that is of the key`, () => {
      assert.ok(operationsOf(defineSync({ mode, match, model: modelOf('email', 'list') }), list));
    });
  }

  it('objects may be found by what is not the key', () => {
    assert.ok(operationsOf(defineSync({ match, model: modelOf('id') }), { upsert: 'upsert' }));
  });
});
