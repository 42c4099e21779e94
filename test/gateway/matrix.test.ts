import assert from 'node:assert/strict';
import type { Told } from '../gateway-kit.ts';
import { columnsOf, each, keyPath, never, openMatrix, relationsOf, withoutHint, type Matrix } from './matrix-kit.ts';
import { columnsSeen, factsOf, operators, seenThrough } from './matrix-oracle.ts';

const sorted = (keys: readonly (readonly string[])[]): readonly string[] => keys.map((key) => key.join('/')).sort();

function csvCells(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain ?? '');
    if (end !== ',') rows.push([]);
  }
  return rows.filter((row) => row.some((cell) => cell !== ''));
}

describe('role × endpoint × field over REST, as the project file says', function () {
  this.timeout(240_000);
  let matrix: Matrix;
  before(async () => (matrix = await openMatrix()));
  after(async () => await matrix[Symbol.asyncDispose]());

  it('an API without a part for the role is as one that is not there, at every endpoint', async () => {
    const hidden = matrix.pairs.filter(({ seen }) => seen === undefined);
    assert.ok(hidden.length > 20);
    await each(hidden, async ({ caller, api }) => {
      const places: readonly ((name: string) => Promise<Told>)[] = [
        (name) => matrix.ask(caller, `/api/${name}`),
        (name) => matrix.ask(caller, `/api/${name}?format=csv`),
        (name) => matrix.ask(caller, `/api/${name}/1`),
        (name) => matrix.ask(caller, `/aggregate/${name}`),
        (name) => matrix.ask(caller, `/batch/${name}`, { method: 'POST', body: { keys: [] } }),
        (name) => matrix.graphql(caller, `{ ${name} { totalCount } }`),
        (name) => matrix.graphql(caller, `{ ${name}ByKey(x: 1) { x } }`),
        (name) => matrix.graphql(caller, `{ ${name}Aggregate { count } }`),
      ];
      for (const place of places) {
        const [told, other] = [await place(api), await place(never)];
        assert.ok([400, 403, 404].includes(told.status), `${caller.name} ${api} ${told.status}`);
        assert.equal(told.status, other.status);
        const withoutPlace = (text: string): string => text.replaceAll(/"column":\d+/g, '').replaceAll(/ Did you mean [^?]*\?/g, '');
        assert.equal(withoutPlace(told.text).replaceAll(api, never), withoutPlace(other.text), `${caller.name} ${api}`);
      }
    });
  });

  it('lists, rows, batches, NDJSON, CSV and counts have the rows of the rule with the columns of the role, masked as it says', async () => {
    await each(matrix.visible, async (pair) => {
      const { caller, api } = pair;
      const label = `${caller.name} ${api}`;
      const expected = await matrix.rowsOf(pair);
      const rows = expected.map(({ row }) => row);
      const list = await matrix.ask(caller, `/api/${api}?count=exact`);
      assert.deepEqual(list.json, { data: rows, count: rows.length, next: null }, label);
      const lines = await matrix.ask(caller, `/api/${api}?format=ndjson`);
      assert.deepEqual(
        lines.text
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line)),
        rows,
        label,
      );
      const [header = [], ...cells] = csvCells((await matrix.ask(caller, `/api/${api}`, { headers: { accept: 'text/csv' } })).text);
      assert.deepEqual(header, columnsSeen(pair.seen), label);
      const written = cells.map((line) => Object.fromEntries(header.map((name, at) => [name, line[at]])));
      const cell = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? '').replace('""', ''));
      const compact = (text: string | undefined): string => (/^[[{]/.test(text ?? '') ? JSON.stringify(JSON.parse(text!)) : (text ?? ''));
      assert.deepEqual(
        written.map((line) => Object.entries(line).map(([, value]) => compact(value))),
        rows.map((row) => Object.values(row).map(cell)),
        label,
      );
      const all = await matrix.oracle.allKeys(api);
      const own = new Map(expected.map(({ key, row }) => [key.join('/'), row]));
      const batch = await matrix.ask(caller, `/batch/${api}`, { method: 'POST', body: { keys: all } });
      assert.deepEqual(
        batch.json.data,
        all.map((key) => own.get(key.join('/')) ?? null),
        label,
      );
      const missing = await matrix.ask(caller, `/api/${api}/${keyPath(all[0]!.map(() => '424242'))}`);
      assert.equal(missing.status, 404);
      for (const key of all) {
        const told = await matrix.ask(caller, `/api/${api}/${keyPath(key)}`);
        const row = own.get(key.join('/'));
        assert.equal(told.status, row === undefined ? 404 : 200, `${label} ${key.join('/')}`);
        if (row === undefined) assert.equal(told.text, missing.text);
        else assert.deepEqual(told.json, row, label);
      }
    });
  });

  it('each comparison of each column answers the rows that match among those of the rule, or is refused', async () => {
    const uses = matrix.visible.flatMap((pair) =>
      columnsOf(pair).flatMap((column) => operators.map((operator) => ({ ...pair, column, operator }))),
    );
    assert.ok(uses.length > 2000, String(uses.length));
    await each(uses, async ({ column, operator, ...pair }) => {
      const { caller, api, seen } = pair;
      const value = operator === 'null' ? 'true' : matrix.oracle.value(seen.types, column);
      const path = (name: string): string => `/api/${api}?${name}[${operator}]=${encodeURIComponent(value)}&fields=${seen.key.join()}`;
      const allowed = factsOf(seen.types[column]!).operators.includes(operator);
      await matrix.requireUse(caller, seen, column, path, allowed, async (told) => {
        const expected = (await matrix.rowsOf(pair)).filter(({ matches }) => matches.includes(`${column} ${operator}`));
        assert.deepEqual(
          told.json.data.map((row: object) => Object.values(row).map(String)),
          expected.map(({ key }) => key),
          `${caller.name} ${path(column)}`,
        );
      });
    });
  });

  it('sorts, groups, measures and counts are over the rows of the rule, or refused', async () => {
    const uses = matrix.visible.flatMap((pair) => columnsOf(pair).map((column) => ({ ...pair, column })));
    await each(uses, async ({ column, ...pair }) => {
      const { caller, api, seen } = pair;
      const { isOrdered, measures } = factsOf(seen.types[column]!);
      const expected = await matrix.rowsOf(pair);
      const keys = expected.map(({ key }) => key);
      const values = expected.flatMap(({ plain }) => plain[column] ?? []);
      const sorts = ['', '-'].map((sign) => (name: string) => `/api/${api}?sort=${sign}${name}&fields=${seen.key.join()}`);
      for (const path of sorts)
        await matrix.requireUse(caller, seen, column, path, isOrdered, ({ json }) =>
          assert.deepEqual(sorted(json.data.map((row: object) => Object.values(row).map(String))), sorted(keys)),
        );
      await matrix.requireUse(
        caller,
        seen,
        column,
        (name) => `/aggregate/${api}?group=${name}`,
        isOrdered,
        ({ json }) => {
          const total = json.data.reduce((sum: number, { count }: { count: number }) => sum + count, 0);
          assert.equal(total, expected.length);
          assert.equal(json.data.length, new Set(expected.map(({ row }) => JSON.stringify(row[column]))).size);
        },
      );
      for (const measure of ['count', 'sum', 'avg', 'min', 'max'])
        await matrix.requireUse(
          caller,
          seen,
          column,
          (name) => `/aggregate/${api}?measures=${measure}:${name}`,
          measures.includes(measure),
          ({ json }) => {
            const [only] = json.data;
            if (measure === 'count') assert.equal(only.counts[column], values.length);
            else assert.equal(only[measure][column] === null, values.length === 0);
            if (measure === 'sum' && values.length > 0) {
              const sum = values.reduce((total, one) => total + Number(one), 0);
              assert.ok(Math.abs(Number(only.sum[column]) - sum) <= Math.abs(sum) * 1e-9, `${caller.name} ${api} ${column}`);
            }
          },
        );
      const fields = await matrix.ask(caller, `/api/${api}?fields=${column}`);
      assert.equal(fields.status, seen.use(column) === 'unknown' ? 400 : 200);
      if (fields.status === 200)
        assert.deepEqual(
          fields.json.data,
          expected.map(({ row }) => ({ [column]: row[column] })),
        );
      else
        assert.equal(
          withoutHint(fields.text).replaceAll(column, never),
          withoutHint((await matrix.ask(caller, `/api/${api}?fields=${never}`)).text),
        );
    });
    await each(matrix.visible, async (pair) => {
      const { data } = (await matrix.ask(pair.caller, `/aggregate/${pair.api}`)).json;
      assert.deepEqual(data, [{ count: (await matrix.rowsOf(pair)).length }]);
    });
  });

  it('relations have the rows and columns that the role sees where they lead, in lists, rows and batches, or are not there', async () => {
    const uses = matrix.visible.flatMap((pair) => relationsOf(pair.api).map(([name, relation]) => ({ ...pair, name, relation })));
    await each(uses, async ({ name, relation, ...pair }) => {
      const { caller, api, seen } = pair;
      const list = await matrix.ask(caller, `/api/${api}?include=${name}&fields=${seen.key.join()}`);
      const label = `${caller.name} ${api} ${name} ${list.text.slice(0, 200)}`;
      const paths = ['include=NAME', 'NAME.fields=x', 'NAME.limit=1', 'NAME.x=1'].map(
        (query) => (as: string) => `/api/${api}?${query.replace('NAME', as)}`,
      );
      if (!seen.relations.includes(name)) {
        for (const path of paths) {
          const told = await matrix.ask(caller, path(name));
          assert.equal(told.status, 400, label);
          assert.equal(withoutHint(told.text).replaceAll(name, never), withoutHint((await matrix.ask(caller, path(never))).text), label);
        }
        return;
      }
      const expected = await matrix.rowsOf(pair);
      const inner = seenThrough(relation, caller.role)!;
      const related = await Promise.all(expected.map(({ plain }) => matrix.oracle.related(relation, plain, caller)));
      const texts = (rows: readonly unknown[]): readonly string[] => rows.map((row) => JSON.stringify(row)).sort();
      const found = list.json.data.map((row: Record<string, unknown>) => row[name] ?? []);
      const same = (got: readonly unknown[], at: number): void => assert.deepEqual(texts(got.flat()), texts(related[at]!), label);
      found.forEach((got: readonly unknown[], at: number) => same([got].flat(), at));
      const keys = expected.map(({ key }) => key);
      const batch = await matrix.ask(caller, `/batch/${api}`, { method: 'POST', body: { keys, include: [name] } });
      batch.json.data.forEach((row: Record<string, unknown>, at: number) => same([row[name] ?? []].flat(), at));
      const one = keys.length === 0 ? undefined : await matrix.ask(caller, `/api/${api}/${keyPath(keys[0]!)}?include=${name}`);
      if (one !== undefined) same([one.json[name] ?? []].flat(), 0);
      for (const column of Object.keys(inner.types)) {
        const value = encodeURIComponent(matrix.oracle.value(inner.types, column));
        const { isOrdered, operators: own } = factsOf(inner.types[column]!);
        const shownAlone = await matrix.ask(caller, `/api/${api}?${name}.fields=${column}`);
        assert.equal(shownAlone.status, inner.use(column) === 'unknown' ? 400 : 200, `${label} ${column}`);
        if (relation.one === true) continue;
        await matrix.requireUse(
          caller,
          inner,
          column,
          (as) => `/api/${api}?${name}.sort=${as}`,
          isOrdered,
          () => undefined,
        );
        await matrix.requireUse(
          caller,
          inner,
          column,
          (as) => `/api/${api}?${name}.${as}=${value}`,
          own.includes('eq'),
          () => undefined,
        );
      }
    });
  });
});
