import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { preview } from '../../transform/preview.ts';
import { csvFormat, text } from './harness.ts';

describe('preview', () => {
  it('gives the first rows that pass and the first that are refused, with all counts', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-preview-'));
    try {
      const path = join(folder, 'in.csv');
      await writeFile(path, 'a,b\n1,"x\ny"\n2,\n3,""\nn,z\nbroken\n');
      const found = await preview(
        {
          pipeline: 'p',
          stream: 's',
          inputs: [{ path, format: csvFormat(['a', 'b']), partition: 0, label: 'in.csv' }],
          columns: text('a', 'b'),
          steps: [{ cast: { a: 'integer' } }],
          output: [{ name: 'a', type: 'integer' }, ...text('b')],
          key: [],
          onFailure: 'reject',
          protect: [],
          ordered: false,
          files: 1,
          outputPath: join(folder, 'out.csv'),
          rejectionsPath: join(folder, 'rejected.csv'),
          memoryLimit: '256MB',
          threads: 1,
          tempFolder: join(folder, 'temp'),
          signal: new AbortController().signal,
          beat: () => undefined,
        },
        2,
      );
      assert.deepEqual(found.passed, [
        ['1', 'x\ny'],
        ['2', null],
      ]);
      assert.deepEqual(
        found.refused.map(({ position, rule, row }) => [position, rule, row]),
        [
          ['7', 'csv', '"broken"'],
          ['6', 'cast integer', '{"a":"n","b":"z"}'],
        ],
      );
      assert.deepEqual([found.read, found.rows, found.rejected], [5, 3, 2]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
