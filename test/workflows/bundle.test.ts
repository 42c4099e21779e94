import assert from 'node:assert/strict';
import { builtinModules } from 'node:module';
import { testBundle } from '../pipeline-kit.ts';

interface SourceMap {
  readonly sources: readonly string[];
}

describe('the workflow bundle', function () {
  this.timeout(120_000);
  let code: string;
  let sources: readonly string[];

  before(async () => {
    const made = await testBundle();
    assert.ok('code' in made);
    code = made.code;
    const [, encoded = ''] = /sourceMappingURL=data:application\/json;charset=utf-8;base64,([A-Za-z0-9+/=]+)/.exec(code) ?? [];
    sources = (JSON.parse(Buffer.from(encoded, 'base64').toString()) as SourceMap).sources;
  });

  const ours = (): readonly string[] => sources.filter((source) => !source.includes('node_modules/') && !source.startsWith('webpack/'));

  it('holds nothing of ours but workflows', () => {
    assert.ok(ours().some((source) => source.endsWith('/workflows/stream.ts')));
    assert.deepEqual(
      ours().filter((source) => !/\/workflows\/[^/]+$/.test(source)),
      [],
    );
  });

  it('holds no connector, no zod, no driver: only what Temporal gives workflows', () => {
    const packages = sources.flatMap((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []);
    assert.deepEqual([...new Set(packages)].toSorted(), ['@temporalio/common', '@temporalio/workflow', 'long', 'ms', 'nexus-rpc']);
  });

  it('asks for no module of Node', () => {
    const asked = [...code.matchAll(/\brequire\(\s*["']([^"']+)["']\s*\)/g)].map(([, name = '']) => name.replace(/^node:/, ''));
    const allowed = new Set(['assert', 'url', 'util', 'async_hooks']);
    assert.deepEqual(
      asked.filter((name) => builtinModules.includes(name) && !allowed.has(name)),
      [],
    );
    assert.doesNotMatch(code, /["']node:(?!assert|url|util|async_hooks)\w+["']/);
  });
});
