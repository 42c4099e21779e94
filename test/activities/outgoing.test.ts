import assert from 'node:assert/strict';
import { outgoingRows } from '../../activities/send/outgoing.ts';
import { jsonText } from '../../schema/value.ts';
import { planOf } from './send-kit.ts';

describe('a planned row on its way', () => {
  const sync = {
    match: [{ column: 'key', field: 'key' }],
    map: [
      { column: 'doc', field: 'doc', whenNull: 'clear' as const },
      { column: 'part', field: 'part', whenNull: 'clear' as const },
    ],
  };
  const columns = [
    { name: 'key', type: 'text' as const },
    { name: 'doc', type: 'jsonb' as const },
    { name: 'part', type: 'double' as const },
  ];

  it('keeps every digit of the numbers in a JSON column, and texts that look like them', () => {
    const doc = `{"id":9007199254740993,"all":[12345678901234567890.10,-1,2.5,1e400],"text":"9007199254740993 \\" 1.0000000000000000001"}`;
    const [planned] = planOf(1, { values: `["k1",${doc},0.30000000000000004]` });
    assert.ok(planned !== undefined);
    const { fields } = outgoingRows(sync, columns, false)(planned);
    assert.equal(jsonText(fields['doc']), doc);
    assert.equal(fields['part'], 0.30000000000000004);
  });
});
