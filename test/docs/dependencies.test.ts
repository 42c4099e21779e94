import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { isPermissive, runtimeLicences } from '../../docs/licences.ts';

const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('dependencies', () => {
  it('each have their reason, and their licence, in docs/dependencies.md', async () => {
    const { dependencies, devDependencies } = JSON.parse(await read('package.json')) as Record<string, Record<string, string>>;
    const rows = (await read('docs/dependencies.md')).split('\n').filter((line) => line.startsWith('| `'));
    const told = new Map(rows.map((row) => [/`([^`]+)`/.exec(row)?.[1] ?? '', row.split('|').map((cell) => cell.trim())]));
    const wanted = Object.keys({ ...dependencies, ...devDependencies });
    assert.deepEqual([...told.keys()].toSorted(), wanted.toSorted());
    for (const name of wanted) {
      const [, , reason = '', keeper = '', licence = ''] = told.get(name) ?? [];
      const { license } = JSON.parse(await read(`node_modules/${name}/package.json`)) as { license: string };
      assert.equal(licence, license, name);
      assert.ok(reason.length > 20 && keeper.length > 5, `${name} has a reason and a keeper`);
    }
  });

  it('that users install have permissive licences, to the last of their own dependencies', async () => {
    const all = await runtimeLicences();
    assert.ok(all.length > 200, `${all.length} packages`);
    assert.deepEqual(
      all.filter(({ licence }) => !isPermissive(licence)),
      [],
    );
  });

  it('with another licence would be found', () => {
    for (const licence of ['GPL-3.0-only', 'AGPL-3.0', 'LGPL-2.1 AND MIT', 'SSPL-1.0', 'none named', 'SEE LICENSE IN LICENSE', '']) {
      assert.equal(isPermissive(licence), false, licence);
    }
    for (const licence of ['MIT', '(MIT OR GPL-3.0)', 'Apache-2.0 AND MIT']) assert.equal(isPermissive(licence), true, licence);
  });
});
