import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readCursor, type DatasetRead, type PageMember, type SortKey } from '../../schema/dataset.ts';
import { openPlace, type DatasetsPlace } from './datasets-kit.ts';

interface Row {
  readonly id: string;
}

interface Answer {
  readonly data: readonly Row[];
  readonly next: string | null;
  readonly info: { readonly more: boolean; readonly before: boolean; readonly start: string | null; readonly end: string | null };
}

const members: readonly PageMember[] = [
  { kind: 'rows', as: 'data' },
  { kind: 'next', as: 'next' },
  {
    kind: 'pageInfo',
    as: 'info',
    members: [
      { kind: 'hasNextPage', as: 'more' },
      { kind: 'hasPreviousPage', as: 'before' },
      { kind: 'startCursor', as: 'start' },
      { kind: 'endCursor', as: 'end' },
    ],
  },
];

const sortable = ['n', 'x', 'text', 'at', 'exact', 'flag', 'mood', 'needed'] as const;

describe('pages of datasets in PostgreSQL', () => {
  let place: DatasetsPlace;
  let base: DatasetRead;
  before(async () => {
    place = await openPlace(`CREATE TYPE mood AS ENUM ('z', 'a', 'm');
      CREATE TABLE paged (id bigint PRIMARY KEY, n int, x double precision, text text, at timestamptz, exact numeric, flag boolean, mood mood, needed int NOT NULL);
      CREATE TABLE many AS SELECT i AS id, i % 7 AS rest FROM generate_series(1, 30000) i; ALTER TABLE many ADD PRIMARY KEY (id); ANALYZE many`);
    base = await place.read('paged');
  });
  after(async () => {
    await place[Symbol.asyncDispose]();
  });

  const page = async (read: DatasetRead): Promise<Answer> => (await place.rows({ ...read, shape: { kind: 'object', members } })) as Answer;
  const fromOf = (read: DatasetRead, cursor: string | null): readonly (string | null)[] => {
    const from = readCursor(cursor ?? '', read.cursorPrefix, read.sort.length);
    assert.ok(from, `not a cursor: ${cursor}`);
    return from;
  };

  /** All ids by pages, forwards by `next` or backwards by `startCursor`. */
  const idsByPages = async (read: DatasetRead, backward: boolean): Promise<readonly string[]> => {
    const all: string[] = [];
    let from: readonly (string | null)[] | undefined;
    for (;;) {
      const answer = await page({ ...read, backward, ...(from === undefined ? {} : { from }) });
      const ids = answer.data.map(({ id }) => id);
      assert.ok(ids.length <= read.limit);
      if (backward) all.unshift(...ids);
      else all.push(...ids);
      const goesOn = backward ? answer.info.before : answer.info.more;
      assert.equal(backward ? answer.info.more : answer.info.before, from !== undefined);
      if (!backward) assert.equal(answer.next, goesOn ? answer.info.end : null);
      if (!goesOn) return all;
      from = fromOf(read, backward ? answer.info.start : answer.info.end);
    }
  };

  it('concatenated are the whole list, nothing twice, for any sort, limit and direction, with NULLs and ties', async () => {
    const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { freq: 2 });
    const row = fc.record({
      n: maybe(fc.integer({ min: 0, max: 2 })),
      x: maybe(fc.constantFrom('NaN', '-Infinity', '0.1', '1e300')),
      text: maybe(fc.constantFrom('', 'ä', 'B', 'b', `'"\\`, '\u{1f600}')),
      at: maybe(fc.constantFrom('infinity', '2026-01-31 10:00:00.123456+00', '2026-01-31 10:00:00.123457+00')),
      exact: maybe(fc.constantFrom('1.0', '1.00', '12345678901234567890.1')),
      flag: maybe(fc.boolean()),
      mood: maybe(fc.constantFrom('z', 'a', 'm')),
      needed: fc.integer({ min: 0, max: 2 }),
    });
    const sort = fc.uniqueArray(fc.record({ column: fc.constantFrom(...sortable), descending: fc.boolean() }), {
      selector: ({ column }) => column,
      maxLength: 3,
    });
    const shape = fc.record({
      rows: fc.array(row, { maxLength: 12 }),
      sort,
      limit: fc.integer({ min: 1, max: 5 }),
      keyDescending: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ rows, sort: given, limit, keyDescending }) => {
        await place.client.query('TRUNCATE paged');
        await place.client.query('INSERT INTO paged SELECT * FROM jsonb_populate_recordset(NULL::paged, $1)', [
          JSON.stringify(rows.map((one, id) => ({ id, ...one }))),
        ]);
        const total: readonly SortKey[] = [...given, { column: 'id', descending: keyDescending }];
        const order = total.map(({ column, descending }) => `${column}${descending ? ' DESC' : ''}`).join(', ');
        const { rows: expected } = await place.client.query<{ id: string }>(`SELECT id::text FROM paged ORDER BY ${order}`);
        const read = { ...base, sort: total, limit };
        const ids = expected.map(({ id }) => id);
        assert.deepEqual(await idsByPages(read, false), ids);
        assert.deepEqual(await idsByPages(read, true), ids);
      }),
      { numRuns: 120 },
    );
  });

  it('go on by an index where all columns go one way and none is NULL', async () => {
    const read = {
      ...(await place.read('many')),
      from: ['29000'],
      limit: 3,
      fields: [{ kind: 'column' as const, as: 'id', column: 'id' }],
    };
    await place.client.query('SELECT pg_stat_reset()');
    assert.deepEqual(await place.rows(read), [{ id: 29001 }, { id: 29002 }, { id: 29003 }]);
    const { compile } = await import('../../connectors/postgres/datasets/compile.ts');
    const { text, values } = compile(read, undefined);
    const { rows } = await place.client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${text}`, [...values]);
    const plan = rows.map((line) => line['QUERY PLAN']).join('\n');
    assert.match(plan, /Index (Only )?Scan using many_pkey/);
    assert.doesNotMatch(plan, /CTE|Sort|Seq Scan/);
  });

  it('say how many rows match: exactly, or by estimate where they are many', async () => {
    const read = await place.read('many');
    const count = async (exact: boolean, filter?: DatasetRead['filter']): Promise<number> => {
      const shape = { kind: 'object' as const, members: [{ kind: 'count' as const, as: 'count', exact }] };
      return ((await place.rows({ ...read, shape, ...(filter === undefined ? {} : { filter }) })) as { count: number }).count;
    };
    assert.equal(await count(true), 30_000);
    assert.equal(await count(true, { kind: 'compare', column: 'rest', op: 'eq', value: '3' }), 4_286);
    assert.equal(await count(false, { kind: 'compare', column: 'rest', op: 'eq', value: '3' }), 4_286);
    const estimate = await count(false, { kind: 'compare', column: 'rest', op: 'ne', value: '3' });
    assert.ok(estimate > 20_000 && estimate < 30_000, String(estimate));
    await place.client.query('DELETE FROM many WHERE id <= 5');
    assert.equal(await count(false), 30_000, 'the statistics are older than the rows');
    assert.equal(await count(true), 29_995);
  });

  it('are edges with a cursor each, which is opaque, and holds any text', async () => {
    await place.client.query('TRUNCATE paged');
    const texts = ['a,b', '"quoted"', `'; DROP TABLE paged; --`, 'ü\u{1f600}\n\\', 'x'.repeat(500)];
    await place.client.query('INSERT INTO paged (id, text, needed) SELECT n, t, 0 FROM unnest($1::text[]) WITH ORDINALITY u (t, n)', [
      texts,
    ]);
    const read: DatasetRead = {
      ...base,
      cursorPrefix: `pre'fix "ü"`,
      sort: [
        { column: 'text', descending: false },
        { column: 'id', descending: true },
      ],
      shape: {
        kind: 'object',
        members: [
          {
            kind: 'edges',
            as: 'edges',
            members: [
              { kind: 'constant', as: '__typename', value: "Edge's" },
              { kind: 'cursor', as: 'cursor' },
              {
                kind: 'node',
                as: 'node',
                fields: [
                  { kind: 'column', as: 'text', column: 'text' },
                  { kind: 'column', as: 'id', column: 'id' },
                ],
              },
            ],
          },
        ],
      },
    };
    const { edges } = (await place.rows(read)) as { edges: { __typename: string; cursor: string; node: { text: string; id: string } }[] };
    assert.deepEqual(edges.map(({ node }) => node.text).toSorted(), texts.toSorted());
    for (const [at, edge] of edges.entries()) {
      assert.equal(edge.__typename, "Edge's");
      const from = fromOf(read, edge.cursor);
      assert.deepEqual(from, [edge.node.text, edge.node.id]);
      const rest = (await place.rows({ ...read, from, shape: { kind: 'rows' } })) as Row[];
      assert.deepEqual(
        rest.map(({ id }) => id),
        edges.slice(at + 1).map(({ node }) => node.id),
      );
    }
    assert.equal(readCursor(edges[0]?.cursor ?? '', 'another', 2), undefined);
  });

  it('by keys are in the order of the keys, null where there is no row', async () => {
    await place.client.query(`TRUNCATE paged; INSERT INTO paged (id, text, needed) VALUES (1, 'one', 0), (2, 'two', 0)`);
    const fields = [{ kind: 'column' as const, as: 'text', column: 'text' }];
    const shape = { kind: 'keyed' as const, columns: ['id'], keys: [['2'], ['9'], ['1'], ['2']] };
    assert.deepEqual(await place.rows({ ...base, fields, shape }), [{ text: 'two' }, null, { text: 'one' }, { text: 'two' }]);
    assert.deepEqual(await place.rows({ ...base, fields, shape: { ...shape, keys: [] } }), []);
  });
});
