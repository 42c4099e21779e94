import assert from 'node:assert/strict';
import type { Told } from '../gateway-kit.ts';
import { each, keyPath, openMatrix, type Matrix, type VisiblePair } from './matrix-kit.ts';
import { columnsSeen } from './matrix-oracle.ts';
import { apis, type SampleCaller } from './matrix-sample.ts';

/** Numbers that look random and are the same each time. */
function* numbers(): Generator<number> {
  for (let state = 42; ; state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) yield state;
}

function shuffled<T>(items: readonly T[], random: Generator<number, unknown>): readonly T[] {
  return items
    .map((item) => ({ item, at: Number(random.next().value) }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

describe('what one caller has in hand of another', function () {
  this.timeout(240_000);
  let matrix: Matrix;
  before(async () => (matrix = await openMatrix()));
  after(async () => await matrix[Symbol.asyncDispose]());

  const ownKeys = async (pair: VisiblePair): Promise<ReadonlySet<string>> =>
    new Set((await matrix.rowsOf(pair)).map(({ key }) => key.join('/')));
  const keysOf = (pair: VisiblePair, rows: readonly Record<string, unknown>[]): readonly string[] =>
    rows.map((row) => pair.seen.key.map((name) => String(row[name])).join('/'));

  it('a cursor of another role, sort or API is refused; one of the same role with other claims gives own rows alone', async () => {
    const cursors = await Promise.all(
      matrix.visible.map(async (pair) => {
        const rest = await matrix.ask(pair.caller, `/api/${pair.api}?limit=1`);
        const graph = await matrix.graphql(pair.caller, `{ asked: ${pair.api}(first: 1) { pageInfo { endCursor } } }`);
        const cursor: string | null = rest.json.next;
        assert.ok(cursor === null || cursor === graph.json.data.asked.pageInfo.endCursor);
        return { pair, cursor };
      }),
    );
    const made = cursors.flatMap(({ pair, cursor }) => (cursor === null ? [] : [{ pair, cursor }]));
    assert.ok(made.length > 15);
    const uses = made.flatMap(({ pair, cursor }) => matrix.visible.map((other) => ({ pair, cursor, other })));
    await each(uses, async ({ pair, cursor, other }) => {
      const isOwn = pair.api === other.api && pair.caller.role === other.caller.role;
      const told = await matrix.ask(other.caller, `/api/${other.api}?cursor=${cursor}`);
      const graph = await matrix.graphql(
        other.caller,
        `{ asked: ${other.api}(after: "${cursor}") { nodes { ${other.seen.key.join(' ')} } } }`,
      );
      const label = `${pair.caller.name} ${pair.api} by ${other.caller.name} ${other.api}`;
      assert.deepEqual([told.status, graph.status], isOwn ? [200, 200] : [400, 400], label);
      if (!isOwn) return;
      const own = await ownKeys(other);
      for (const rows of [told.json.data, graph.json.data.asked.nodes])
        assert.ok(
          keysOf(other, rows).every((key) => own.has(key)),
          label,
        );
    });
    await each(made, async ({ pair: { caller, api, seen }, cursor }) => {
      for (const sort of [`-${seen.key[0]}`, seen.key.length > 1 ? seen.key[1]! : `-${seen.key[0]}`])
        assert.equal((await matrix.ask(caller, `/api/${api}?sort=${sort}&cursor=${cursor}`)).status, 400);
    });
  });

  it('pages by cursors are all the rows of the rule, once each, and none of others', async () => {
    await each(matrix.visible, async (pair) => {
      const { caller, api } = pair;
      const got: string[] = [];
      for (let next: string | null = ''; next !== null;) {
        const { json } = await matrix.ask(caller, `/api/${api}?limit=4${next === '' ? '' : `&cursor=${next}`}`);
        got.push(...keysOf(pair, json.data));
        next = json.next;
      }
      assert.deepEqual(
        got,
        (await matrix.rowsOf(pair)).map(({ key }) => key.join('/')),
        `${caller.name} ${api}`,
      );
    });
  });

  it('kept answers are each caller’s own, in whatever order all ask for the same', async () => {
    const random = numbers();
    const bodies = new Map<string, string>();
    const states = new Set<unknown>();
    const paths = Object.keys(apis).flatMap((api) => [`/api/${api}?count=exact`, `/api/${api}?limit=5`, `/aggregate/${api}`]);
    const asked = paths.flatMap((path) => matrix.callers.map((caller) => ({ path, caller })));
    for (let round = 0; round < 4; round++)
      await each(shuffled(asked, random), async ({ path, caller }) => {
        const told = await matrix.ask(caller, path);
        const label = `${caller.name} ${path}`;
        const text = `${told.status} ${told.text}`;
        assert.equal(text, bodies.get(label) ?? text, label);
        bodies.set(label, text);
      });
    for (const { fields } of matrix.gateway.log) states.add(fields['cache']);
    assert.ok(states.has('hit'), [...states].join());
    await each(matrix.visible, async (pair) => {
      const expected = await matrix.rowsOf(pair);
      const data = JSON.parse((bodies.get(`${pair.caller.name} /api/${pair.api}?count=exact`) ?? '').slice(4));
      assert.deepEqual(
        data,
        { data: expected.map(({ row }) => row), count: expected.length, next: null },
        `${pair.caller.name} ${pair.api}`,
      );
    });
    const query = '{ people { totalCount nodes { person_id } } }';
    const seeing = matrix.visible.filter(({ api }) => api === 'people');
    for (let round = 0; round < 4; round++)
      await each(shuffled(seeing, random), async (pair) => {
        const { json } = await matrix.graphql(pair.caller, query);
        assert.deepEqual(keysOf(pair, json.data.people.nodes), [...(await ownKeys(pair))], pair.caller.name);
      });
  });

  it('an entity tag of another says "not modified" only where the body is the same', async () => {
    const path = '/api/people?fields=person_id&limit=3';
    const seeing = matrix.visible.filter(({ api }) => api === 'people').map(({ caller }) => caller);
    const told = new Map<SampleCaller, Told>();
    for (const caller of seeing) told.set(caller, await matrix.ask(caller, path));
    let changed = 0;
    for (const one of seeing)
      for (const other of seeing) {
        const [own, its] = [told.get(one)!, told.get(other)!];
        const again = await matrix.ask(other, path, { headers: { 'if-none-match': own.headers.get('etag') ?? '' } });
        assert.equal(again.status, own.text === its.text ? 304 : 200, `${one.name} ${other.name}`);
        if (again.status === 200) changed += 1;
        if (again.status === 200) assert.equal(again.text, its.text);
      }
    assert.ok(changed > 20);
  });

  it('a hidden row and one that is not there take the same statements, and the same answer', async () => {
    const tenant = matrix.callers.find(({ name }) => name === 'tenant a')!;
    const pair = matrix.visible.find(({ caller, api }) => caller === tenant && api === 'people')!;
    const own = await ownKeys(pair);
    const hidden = (await matrix.oracle.allKeys('people')).find((key) => !own.has(key.join('/')))!;
    const keys = [hidden, ['424242']];
    /** The answers for both keys; they take as many statements as each other. */
    const both = async (ask: (key: readonly string[]) => Promise<Told>): Promise<readonly Told[]> => {
      const answers: Told[] = [];
      const taken: number[] = [];
      for (const key of keys) {
        const before = matrix.reads();
        answers.push(await ask(key));
        taken.push(matrix.reads() - before);
      }
      assert.deepEqual(taken, [1, 1]);
      assert.equal(answers[0]?.text, answers[1]?.text);
      return answers;
    };
    const answers = await both((key) => matrix.ask(tenant, `/api/people/${keyPath(key)}?include=led_by`));
    const headers = answers.map(({ headers: all }) => [...all.keys()].filter((name) => !/^(date|x-request-id)$/.test(name)).join());
    assert.equal(headers[0], headers[1]);
    await both((key) => matrix.ask(tenant, '/batch/people', { method: 'POST', body: { keys: [key] } }));
    await both(([key]) => matrix.graphql(tenant, `{ peopleByKey(person_id: "${key}") { ${columnsSeen(pair.seen).join(' ')} } }`));
    await both((key) => matrix.ask(tenant, `/api/people?person_id=${keyPath(key)}&count=exact`));
  });
});
