import assert from 'node:assert/strict';
import type { Asked, TestGateway, Told } from '../gateway-kit.ts';
import { createOracle, seenOf, type Expected, type Oracle, type Seen } from './matrix-oracle.ts';
import { apis, openSample, type SampleCaller, type SampleRelation } from './matrix-sample.ts';

/** A caller and an API, each with each; `seen` is undefined where the caller must not know the API. */
interface Pair {
  readonly caller: SampleCaller;
  readonly api: string;
  readonly seen: Seen | undefined;
}
export type VisiblePair = Pair & { readonly seen: Seen };

/** A name that nothing has. */
export const never = 'zzq_never';

/** Some at a time, so that the gateway tells nobody to come back. */
export async function each<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items].values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: 24 }, worker));
}

export const withoutHint = (text: string): string => text.replaceAll(/; did you mean \\"[^"]*\\"\?/g, '');
export const keyPath = (key: readonly string[]): string => key.map(encodeURIComponent).join('/');
export const columnsOf = ({ seen }: { readonly seen: Seen }): readonly string[] => Object.keys(seen.types);
export const relationsOf = (api: string): readonly (readonly [string, SampleRelation])[] => Object.entries(apis[api]?.relations ?? {});

/** A gateway over the sample, and what each caller must get of it. */
export interface Matrix extends AsyncDisposable {
  readonly gateway: TestGateway;
  readonly reads: () => number;
  readonly oracle: Oracle;
  readonly callers: readonly SampleCaller[];
  readonly pairs: readonly Pair[];
  readonly visible: readonly VisiblePair[];
  ask(caller: SampleCaller, path: string, more?: Asked): Promise<Told>;
  graphql(caller: SampleCaller, query: string): Promise<Told>;
  rowsOf(pair: Pair): Promise<readonly Expected[]>;
  /** A use of a column: what is seen answers, what is masked says so, and what is hidden says what an unknown one says. */
  requireUse(
    caller: SampleCaller,
    seen: Seen,
    column: string,
    path: (name: string) => string,
    allowed: boolean,
    check: (told: Told) => void | Promise<void>,
  ): Promise<void>;
}

export async function openMatrix(): Promise<Matrix> {
  const { gateway, callers, reads } = await openSample();
  const oracle = createOracle(gateway);
  const pairs = callers.flatMap((caller) => Object.keys(apis).map((api) => ({ caller, api, seen: seenOf(api, caller.role) })));
  const ask: Matrix['ask'] = async ({ token }, path, more = {}) => {
    for (let tries = 0; ; tries++) {
      const told = await gateway.get(path, { ...more, ...(token === undefined ? {} : { token }) });
      if (told.status !== 503 || tries > 50) return told;
      await new Promise((resolve) => void setTimeout(resolve, 50));
    }
  };
  return {
    gateway,
    reads,
    oracle,
    callers,
    pairs,
    visible: pairs.flatMap(({ seen, ...pair }) => (seen === undefined ? [] : [{ ...pair, seen }])),
    ask,
    graphql: async (caller, query) =>
      await ask(caller, '/graphql', { method: 'POST', body: { query }, headers: { accept: 'application/graphql-response+json' } }),
    rowsOf: async ({ api, caller }) => await oracle.rows(api, caller),
    async requireUse(caller, seen, column, path, allowed, check) {
      const told = await ask(caller, path(column));
      const label = `${caller.name} ${path(column)}: ${told.status} ${told.text.slice(0, 300)}`;
      const use = seen.use(column);
      if (use === 'usable' && allowed) {
        assert.equal(told.status, 200, label);
        return await check(told);
      }
      assert.equal(told.status, 400, label);
      if (use === 'masked') assert.match(told.text, /is masked and can only be shown/, label);
      if (use !== 'unknown') return;
      assert.match(told.text, /is no (parameter|column)/, label);
      assert.equal(withoutHint(told.text).replaceAll(column, never), withoutHint((await ask(caller, path(never))).text), label);
      for (const [, hint = ''] of told.text.matchAll(/did you mean \\"([^"\\]*)/g))
        assert.ok(!Object.hasOwn(seen.types, hint) || seen.use(hint) !== 'unknown', label);
    },
    [Symbol.asyncDispose]: async () => await gateway[Symbol.asyncDispose](),
  };
}
