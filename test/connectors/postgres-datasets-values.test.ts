import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { MillraceError } from '../../schema/errors.ts';
import type { DatasetColumn } from '../../schema/dataset.ts';
import { openPlace, type DatasetsPlace } from './datasets-kit.ts';

const schema = `CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN age AS int CHECK (VALUE >= 0);
CREATE TABLE types (id int PRIMARY KEY, small smallint, big bigint, exact numeric, money2 numeric(12,2), float4 real, float8 double precision,
  flag boolean, text text, short varchar(20), fixed char(4), day date, moment time, moment_tz timetz, at timestamp, at_tz timestamptz,
  span interval, uuid uuid, json json, jsonb jsonb, bytes bytea, net inet, bits bit(3), mood mood, pair pair, age age NOT NULL, range int4range,
  bigs bigint[], decimals numeric[], texts text[], moods mood[], blobs bytea[], times timestamptz[], documents jsonb[]);
COMMENT ON COLUMN types.big IS 'as big as it gets';
CREATE TABLE kept (id int PRIMARY KEY, big bigint, exact numeric, double double precision, text text, json jsonb, bytes bytea, bigs bigint[]);
CREATE VIEW shown AS SELECT id, big FROM types;
CREATE TABLE parts (id int, at date) PARTITION BY RANGE (at); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE FUNCTION anything() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM public.kept); END'`;

describe('values of datasets in PostgreSQL', () => {
  let place: DatasetsPlace;
  before(async () => {
    place = await openPlace(schema);
  });
  after(async () => {
    await place[Symbol.asyncDispose]();
  });

  it('describes columns by type, what JSON they become, whether NULL is possible, and comments', async () => {
    const { columns } = await place.datasets.describe({ kind: 'table', schema: 'public', table: 'types' });
    const of = (name: string): DatasetColumn | undefined => columns.find((column) => column.name === name);
    assert.deepEqual(of('big'), {
      name: 'big',
      type: 'bigint',
      json: 'bigint',
      array: false,
      nullable: true,
      comment: 'as big as it gets',
    });
    assert.deepEqual(of('id'), { name: 'id', type: 'integer', json: 'integer', array: false, nullable: false });
    assert.deepEqual(of('mood'), { name: 'mood', type: 'text', json: 'string', array: false, nullable: true, native: 'public.mood' });
    assert.deepEqual(of('moods'), { name: 'moods', type: 'text[]', json: 'string', array: true, nullable: true, native: 'public.mood' });
    assert.deepEqual(of('age'), { name: 'age', type: 'integer', json: 'integer', array: false, nullable: false });
    assert.deepEqual(of('money2')?.type, 'numeric(12,2)');
    assert.deepEqual([of('bigs')?.type, of('bigs')?.json, of('bigs')?.array], ['bigint[]', 'bigint', true]);
    assert.equal(of('at_tz')?.json, 'timestamp');
  });

  it('describes what views, queries and partitioned tables read, and nothing where a function may read anything', async () => {
    const reads = async (sql: string): Promise<readonly string[]> =>
      (await place.datasets.describe({ kind: 'query', sql })).reads.toSorted();
    const view = await place.datasets.describe({ kind: 'table', schema: 'public', table: 'shown' });
    assert.deepEqual(view.reads.toSorted(), ['public.shown', 'public.types']);
    assert.deepEqual(await reads('SELECT t.id, k.big FROM types t LEFT JOIN kept k USING (id); '), ['public.kept', 'public.types']);
    assert.deepEqual(await reads('SELECT * FROM parts -- all of them'), ['public.parts', 'public.parts_1']);
    assert.deepEqual(await reads('SELECT anything() AS n FROM types'), []);
  });

  it('says what a query that cannot be read lacks, and which dataset is not there', async () => {
    const missing = place.datasets.describe({ kind: 'table', schema: 'public', table: 'nowhere' });
    await assert.rejects(missing, (error) => error instanceof MillraceError && error.code === 'not-found' && /nowhere/.test(error.message));
    const twice = place.datasets.describe({ kind: 'query', sql: 'SELECT 1 AS a, 2 AS a' });
    await assert.rejects(twice, (error) => error instanceof MillraceError && error.code === 'config' && /two columns/.test(error.message));
    const wrong = place.datasets.describe({ kind: 'query', sql: 'SELECT nothing FROM types' });
    await assert.rejects(wrong, (error) => error instanceof MillraceError && error.code === 'config' && /"nothing"/.test(error.message));
    const own = place.datasets.describe({ kind: 'query', sql: 'SELECT $1::int AS a' });
    await assert.rejects(own, (error) => error instanceof MillraceError && error.code === 'config');
  });

  it('shows every type as JSON that loses nothing', async () => {
    await place.client
      .query(`INSERT INTO types VALUES (1, 2, 9007199254740993, 0.10, 1.50, 0.1, 'NaN', true, 'a "b"', 'v', 'ab', '2026-01-31', '10:00:00.123456',
      '10:00:00+02', '2026-01-31 10:00:00.123456', '2026-01-31 12:00:00.123456+02', '1 day 02:00:00', '00000000-0000-0000-0000-000000000001', '{"a" :1.10}',
      '{"b":1.10}', '\\x00ff', '10.0.0.1', '101', 'ok', '(1,x)', 3, '[1,3)', '{1,NULL,9007199254740993}', '{{1.0},{2.50}}', '{a,NULL,"b,c"}', '{sad}',
      '{"\\\\x00",NULL}', '{infinity}', ARRAY['{"a":1}'::jsonb])`);
    const [row] = (await place.rows(await place.read('types'))) as Record<string, unknown>[];
    assert.deepEqual(row, {
      id: 1,
      small: 2,
      big: '9007199254740993',
      exact: '0.10',
      money2: '1.50',
      float4: 0.1,
      float8: 'NaN',
      flag: true,
      text: 'a "b"',
      short: 'v',
      fixed: 'ab  ',
      day: '2026-01-31',
      moment: '10:00:00.123456',
      moment_tz: '10:00:00+02',
      at: '2026-01-31T10:00:00.123456',
      at_tz: '2026-01-31T10:00:00.123456+00:00',
      span: '1 day 02:00:00',
      uuid: '00000000-0000-0000-0000-000000000001',
      json: { a: 1.1 },
      jsonb: { b: 1.1 },
      bytes: 'AP8=',
      net: '10.0.0.1',
      bits: '101',
      mood: 'ok',
      pair: '(1,x)',
      age: 3,
      range: '[1,3)',
      bigs: ['1', null, '9007199254740993'],
      decimals: [['1.0'], ['2.50']],
      texts: ['a', null, 'b,c'],
      moods: ['sad'],
      blobs: ['AA==', null],
      times: ['infinity'],
      documents: [{ a: 1 }],
    });
    await place.client.query('DELETE FROM types; INSERT INTO types (id, age) VALUES (2, 0)');
    const [empty] = (await place.rows(await place.read('types'))) as Record<string, unknown>[];
    assert.deepEqual(
      Object.values(empty ?? {}).filter((value) => value !== null),
      [2, 0],
    );
  });

  it('gives any value back as it was', async () => {
    const read = await place.read('kept');
    const text = fc.string({ unit: 'binary' }).map((value) => value.replaceAll('\0', ''));
    const row = fc.record({
      big: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String),
      exact: fc.tuple(fc.bigInt(), fc.nat(9999)).map(([whole, part]) => `${whole}.${part}`),
      double: fc.double({ noNaN: true, noDefaultInfinity: true }),
      text,
      json: fc.dictionary(text, fc.oneof(fc.integer(), text, fc.boolean(), fc.constant(null))),
      bytes: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      bigs: fc.array(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String)),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 10 }), async (rows) => {
        await place.client.query('TRUNCATE kept');
        for (const [id, one] of rows.entries())
          await place.client.query('INSERT INTO kept VALUES ($1, $2, $3, $4, $5, $6, $7, $8)', [
            id,
            one.big,
            one.exact,
            one.double,
            one.text,
            JSON.stringify(one.json),
            one.bytes,
            one.bigs,
          ]);
        const expected = rows.map((one, id) => ({
          id,
          ...one,
          double: one.double === 0 ? 0 : one.double,
          bytes: one.bytes.toString('base64'),
        }));
        const found = (await place.rows(read)) as { double: number }[];
        assert.deepEqual(
          found.map((one) => ({ ...one, double: one.double === 0 ? 0 : one.double })),
          expected.map((one) => ({ ...one, json: { ...one.json } })),
        );
      }),
      { numRuns: 25 },
    );
  });

  it('masks: equal values have equal hashes, which only the key gives; NULL stays NULL', async () => {
    await place.client.query(`TRUNCATE kept; INSERT INTO kept (id, text, big) VALUES (1, 'ünï "x"', 7), (2, NULL, NULL)`);
    const fields = (['hash', 'redact', 'null'] as const).flatMap((mask) =>
      (['text', 'big'] as const).map((column) => ({ kind: 'column' as const, as: `${mask}_${column}`, column, mask })),
    );
    const hash = (value: string): string => createHmac('sha256', 'a mask key').update(value).digest('hex');
    const nothing = Object.fromEntries(fields.map(({ as }) => [as, null]));
    assert.deepEqual(await place.rows(await place.read('kept', { fields })), [
      { ...nothing, hash_text: hash('ünï "x"'), hash_big: hash('7'), redact_text: '***', redact_big: '***' },
      nothing,
    ]);
    const longKey = await place.open({ maskKey: 'k'.repeat(100) });
    const request = await place.read('kept', { fields: fields.slice(0, 1), shape: { kind: 'one' } });
    assert.deepEqual(JSON.parse(await longKey.read(request)), {
      hash_text: createHmac('sha256', 'k'.repeat(100)).update('ünï "x"').digest('hex'),
    });
  });

  it('reads tables of more columns than functions have arguments, under names of any kind and length', async () => {
    const names = [...Array(300).keys()].map((at) => `c"${at}' $1 \\ ; --`);
    await place.client.query(
      `CREATE TABLE "wi""de; DROP" (${names.map((name) => `"${name.replaceAll('"', '""')}" bigint DEFAULT 1`).join(', ')}); INSERT INTO "wi""de; DROP" DEFAULT VALUES`,
    );
    const read = await place.read({ kind: 'table', schema: 'public', table: 'wi"de; DROP' });
    assert.deepEqual(await place.rows(read), [Object.fromEntries(names.map((name) => [name, '1']))]);
    const long = read.fields.map((field, at) => ({ ...field, as: `${'ü"'.repeat(50)}${at}` }));
    assert.deepEqual(await place.rows({ ...read, fields: long }), [Object.fromEntries(long.map(({ as }) => [as, '1']))]);
    const odd = ['o', 'n', 'j', 'p', '', '_p1', 'c0'].map((as) => ({ kind: 'column' as const, as, column: names[0] ?? '' }));
    const page = { ...read, fields: odd, shape: { kind: 'object' as const, members: [{ kind: 'rows' as const, as: 'o' }] } };
    assert.deepEqual(await place.rows(page), { o: [Object.fromEntries(odd.map(({ as }) => [as, '1']))] });
    assert.deepEqual(await place.rows({ ...page, fields: odd.filter(({ as }) => as !== '') }), {
      o: [Object.fromEntries(odd.filter(({ as }) => as !== '').map(({ as }) => [as, '1']))],
    });
    assert.deepEqual(await place.rows({ ...read, fields: [] }), [{}]);
  });
});
