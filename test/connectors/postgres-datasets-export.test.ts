import assert from 'node:assert/strict';
import { parse } from 'csv-parse/sync';
import { MillraceError } from '../../schema/errors.ts';
import { everyRow, type DatasetRead, type OutputField } from '../../schema/dataset.ts';
import { openPlace, type DatasetsPlace } from './datasets-kit.ts';

const never = new AbortController().signal;

describe('exports of datasets from PostgreSQL', () => {
  let place: DatasetsPlace;
  before(async () => {
    place = await openPlace(`CREATE TABLE long AS SELECT i AS id, repeat('x', 1000) AS text FROM generate_series(1, 5000) i;
      CREATE TABLE cells (id int PRIMARY KEY, text text, n numeric, at timestamptz, bytes bytea, doc json, list bigint[], flag boolean);
      CREATE TABLE parts (id int, cell int); INSERT INTO parts VALUES (1, 1), (2, 1)`);
  });
  after(async () => {
    await place[Symbol.asyncDispose]();
  });

  const text = async (read: DatasetRead, format: 'ndjson' | 'csv'): Promise<string> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of place.datasets.export(read, format, never)) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };

  it('are a line of JSON for each row, all of them, in order', async () => {
    const lines = (await text(await place.read('long', { limit: everyRow }), 'ndjson')).split('\n');
    assert.equal(lines.pop(), '');
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { id: number }).id),
      [...Array(5000).keys()].map((at) => at + 1),
    );
    assert.equal((await text(await place.read('long', { limit: 3 }), 'ndjson')).split('\n').length, 4);
  });

  it('keep a row on its line whatever is in it', async () => {
    await place.client.query(`TRUNCATE cells; INSERT INTO cells (id, text, doc) VALUES (1, E'a\\nb\\r', E'{"a":\\n\\r\\n1,"b":"c\\\\n"}')`);
    const relation: OutputField = { kind: 'relation', as: 'parts', on: [['id', 'cell']], read: await place.read('parts') };
    const read = await place.read('cells', { limit: everyRow });
    const lines = (await text({ ...read, fields: [...read.fields.slice(0, 2), ...read.fields.slice(5, 6), relation] }, 'ndjson')).split(
      '\n',
    );
    assert.equal(lines.length, 2);
    assert.deepEqual(JSON.parse(lines[0] ?? ''), {
      id: 1,
      text: 'a\nb\r',
      doc: { a: 1, b: 'c\n' },
      parts: [
        { id: 1, cell: 1 },
        { id: 2, cell: 1 },
      ],
    });
  });

  it('are CSV that reads back, in which no text is a formula', async () => {
    const texts = ['plain', '', null, 'a,"b"\r\nc', '=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', `'quoted`, 'x=1', 'ü\u{1f600}'];
    await place.client.query('TRUNCATE cells');
    await place.client.query('INSERT INTO cells (id, text, n) SELECT n, t, -n FROM unnest($1::text[]) WITH ORDINALITY u (t, n)', [texts]);
    const read = await place.read('cells', { limit: everyRow });
    const named = read.fields.slice(0, 3).map((field) => ({ ...field, as: field.as === 'text' ? '=te"xt' : field.as }));
    const csv = await text({ ...read, fields: named }, 'csv');
    const [header, ...rows] = parse(csv, { record_delimiter: '\r\n' }) as string[][];
    assert.deepEqual(header, ['id', `'=te"xt`, 'n']);
    const guarded = texts.map((value) => (value === null ? '' : /^[=+\-@\t\r]/.test(value) ? `'${value}` : value));
    assert.deepEqual(
      rows,
      guarded.map((value, at) => [String(at + 1), value, String(-at - 1)]),
    );
    assert.match(csv, /\r\n2,"",-2\r\n3,,-3\r\n/, 'NULL is not the empty text');
  });

  it('show values in CSV as JSON does', async () => {
    await place.client.query(
      `TRUNCATE cells; INSERT INTO cells VALUES (1, 'a', 1.10, '2026-01-31 10:00:00+00', '\\x00ff', '{"a": "b"}', '{1,9007199254740993}', true)`,
    );
    const csv = await text(await place.read('cells', { limit: everyRow }), 'csv');
    assert.deepEqual(parse(csv)[1], [
      '1',
      'a',
      '1.10',
      '2026-01-31T10:00:00+00:00',
      'AP8=',
      '{"a": "b"}',
      '["1","9007199254740993"]',
      'true',
    ]);
    const masked = await place.read('cells', { limit: everyRow, fields: [{ kind: 'column', as: 'm', column: 'text', mask: 'redact' }] });
    assert.equal(await text(masked, 'csv'), '"m"\r\n"***"\r\n');
  });

  it('read ahead no more than is asked for, and end at once when they are left', async () => {
    const big = await place.read(
      { kind: 'query', sql: `SELECT i AS id, repeat('x', 1000) AS text FROM generate_series(1, 10000) i, generate_series(1, 10000) j` },
      { sort: [], limit: everyRow },
    );
    let bytes = 0;
    for await (const chunk of place.datasets.export(big, 'ndjson', never)) {
      bytes += chunk.length;
      if (bytes > 2_000_000) break;
    }
    assert.ok(bytes < 3_000_000);
    await nothingRuns();
  });

  it('are cancelled by their signal', async () => {
    const slow = await place.read('long', { limit: everyRow, rules: [{ parts: ['pg_sleep(0.01) IS NOT NULL'], values: [] }] });
    const leaving = new AbortController();
    const all = (async (): Promise<void> => {
      for await (const chunk of place.datasets.export(slow, 'csv', leaving.signal)) assert.ok(chunk);
    })();
    all.catch(() => undefined);
    await until(async () => (await running()) === 1);
    leaving.abort(new Error('left'));
    await assert.rejects(all, /left/);
    await nothingRuns();
  });

  it('end after their own time', async () => {
    const datasets = await place.open({ exportTimeout: 200, timeout: 60_000 });
    const slow = await place.read('long', { limit: everyRow, rules: [{ parts: ['pg_sleep(0.1) IS NOT NULL'], values: [] }] });
    const all = (async (): Promise<void> => {
      for await (const chunk of datasets.export(slow, 'csv', never)) assert.ok(chunk);
    })();
    await assert.rejects(
      all,
      (error) => error instanceof MillraceError && error.code === 'rejected' && /longer than 200 ms/.test(error.message),
    );
    await nothingRuns();
  });

  const running = async (): Promise<number> => {
    const { rows } = await place.client.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%_dataset_%' AND state <> 'idle' AND pid <> pg_backend_pid()`,
    );
    return rows[0]?.n ?? 0;
  };
  const nothingRuns = async (): Promise<void> => await until(async () => (await running()) === 0);
  const until = async (condition: () => Promise<boolean>): Promise<void> => {
    for (const end = Date.now() + 30_000; !(await condition());) assert.ok(Date.now() < end, 'waited for 30 s');
  };
});
