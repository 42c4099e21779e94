import assert from 'node:assert/strict';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { csvDialect, type FilesFolder, makeFolder, openFolder } from './files-folder.ts';

const vega = join(import.meta.dirname, '../../node_modules/vega-datasets/data');

function utf16be(text: string): Buffer {
  return Buffer.from(`\ufeff${text}`, 'utf16le').swap16();
}

describe('files source: formats', () => {
  let folder: FilesFolder;
  beforeEach(async () => {
    folder = await makeFolder();
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const planOne = async (content: string | Uint8Array, read: Record<string, unknown> = {}, name = 'a.csv') => {
    await folder.put(name, content);
    const plan = await folder.plan(name, { read });
    const [partition] = plan.partitions;
    return { plan, partition, dialect: csvDialect(partition) };
  };

  describe('CSV', () => {
    const forms: Record<
      string,
      { content: string | Uint8Array; name?: string; read?: Record<string, unknown>; finds: Record<string, unknown> }
    > = {
      'commas and LF': {
        content: 'id,name\n1,Ann\n2,Bob\n',
        finds: { delimiter: ',', newline: '\n', header: true, columns: ['id', 'name'] },
      },
      'a byte order mark': { content: '\ufeffid,name\n1,Ann\n', finds: { columns: ['id', 'name'] } },
      'UTF-16LE with a mark': {
        content: Buffer.from('\ufeffid,näme\r\n1,Ünn\r\n', 'utf16le'),
        finds: { encoding: 'utf-8', columns: ['id', 'näme'], newline: '\r\n' },
      },
      'UTF-16BE with a mark': { content: utf16be('id,näme\n1,Ünn\n'), finds: { columns: ['id', 'näme'] } },
      'UTF-16 without a mark': { content: Buffer.from('id,name\n1,Ann\n', 'utf16le'), finds: { columns: ['id', 'name'] } },
      'latin-1': { content: Buffer.from('id,n\u00e4me\n1,\u00dcnn\n', 'latin1'), finds: { columns: ['id', 'näme'] } },
      CRLF: { content: 'id,name\r\n1,Ann\r\n', finds: { newline: '\r\n' } },
      CR: { content: 'id,name\r1,Ann\r', finds: { newline: '\r', columns: ['id', 'name'] } },
      semicolons: { content: 'id;price\n1;1,50\n2;2,75\n', finds: { delimiter: ';', columns: ['id', 'price'] } },
      tabs: { content: 'id\tname\n1\tAnn, B\n', finds: { delimiter: '\t' } },
      pipes: { content: 'id|name\n1|Ann\n', finds: { delimiter: '|' } },
      'a .tsv of one column': { content: 'name\nAnn\n', name: 'a.tsv', finds: { delimiter: '\t', columns: ['name'] } },
      'one column': { content: 'name\nAnn\nBob\n', finds: { columns: ['name'], header: true } },
      'no header': {
        content: '1,Ann,2024-01-01\n2,Bob,2024-01-02\n',
        finds: { header: false, columns: ['column1', 'column2', 'column3'] },
      },
      'years as names': { content: 'country,2019,2020\nA,5,6\nB,7,8\n', finds: { header: true, columns: ['country', '2019', '2020'] } },
      'quotes with newlines and delimiters': {
        content: '"id","text"\n1,"a\nb;c;d,""e"""\n2,x\n',
        finds: { delimiter: ',', columns: ['id', 'text'] },
      },
      'backslash escapes': { content: 'id,text\n1,"a \\"b, c\\" d"\n2,"e \\"f, g, h\\""\n', finds: { escape: '\\' } },
      'a header only': { content: 'id,name\n', finds: { header: true, columns: ['id', 'name'] } },
      'no newline at the end': { content: 'id,name\n1,Ann', finds: { columns: ['id', 'name'] } },
      'options that win': {
        content: '1;2\n3;4\n',
        read: { delimiter: ',', header: true, quote: '' },
        finds: { delimiter: ',', header: true, quote: '', columns: ['1;2'] },
      },
      'a ragged row among good ones': {
        content: 'a,b,c\n1,2,3\n1,2\n1,2,3,4\n4,5,6\n',
        finds: { delimiter: ',', columns: ['a', 'b', 'c'] },
      },
    };
    for (const [name, { content, finds, read, name: file }] of Object.entries(forms)) {
      it(`finds ${name}`, async () => {
        const { dialect } = await planOne(content, read, file);
        for (const [key, value] of Object.entries(finds)) assert.deepEqual(dialect[key as keyof typeof dialect], value, key);
      });
    }

    it('gives every column as text', async () => {
      const { plan } = await planOne('id,name\n1,Ann\n');
      assert.deepEqual(plan.columns, [
        { name: 'id', type: 'text' },
        { name: 'name', type: 'text' },
      ]);
    });

    it('hands on UTF-8 without a mark, whatever the file was', async () => {
      const text = 'id,näme\n1,"Ünn €"\n';
      const forms = [
        `\ufeff${text}`,
        Buffer.from(`\ufeff${text}`, 'utf16le'),
        utf16be(text),
        Buffer.from(text.replace('€', '\u0080'), 'latin1'),
      ];
      for (const content of forms) {
        const { plan, partition } = await planOne(content);
        assert.equal((await folder.read(plan, 'a.csv', partition!)).toString(), text);
      }
    });

    it('says so when it had to guess', async () => {
      const latin = await planOne(Buffer.from('id,n\u00e4me\n1,\u00dcnn\n', 'latin1'));
      assert.match(latin.plan.notes.join(), /a\.csv: .*latin-1.*read\.encoding/);
      const bare = await planOne('1,2\n3,4\n');
      assert.match(bare.plan.notes.join(), /first line was taken for data.*read\.header/);
      const sure = await planOne('1,2\n3,4\n', { header: false });
      assert.deepEqual(sure.plan.notes, []);
    });

    it('gives empty and repeated names a name of their own, and says so', async () => {
      const { dialect, plan } = await planOne('id,,Name,name,name_2\n1,2,3,4,5\n');
      assert.deepEqual(dialect.columns, ['id', 'column2', 'Name', 'name_3', 'name_2']);
      assert.match(plan.notes.join('; '), /column 2 has no name and is called column2; .*a second column name is called name_3/);
    });

    it('estimates the rows of a large file from its beginning', async () => {
      const { plan } = await planOne(`id,text\n${'1,"a\nb"\n'.repeat(400_000)}`);
      assert.ok(Math.abs((plan.estimatedRows ?? 0) - 400_000) < 4000, String(plan.estimatedRows));
    });

    it('counts records as they are, for any values (property)', async () => {
      const value = fc.stringMatching(/^[a-z",\n ]{0,12}$/);
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 30 }), async (rows) => {
          const lines = rows.map((row) => row.map((one) => `"${one.replaceAll('"', '""')}"`).join(','));
          const { plan } = await planOne(`a,b\n${lines.join('\n')}\n`);
          assert.equal(plan.estimatedRows, rows.length);
        }),
        { numRuns: 50 },
      );
    });

    it('takes an empty file for no rows', async () => {
      await folder.put('a.csv', '');
      const plan = await folder.plan('a.csv');
      assert.deepEqual([plan.partitions, plan.columns, plan.complete], [[], [], true]);
      assert.match(plan.notes.join(), /a\.csv: is empty/);
    });

    it('unpacks gzip, and names a file that was cut', async () => {
      const packed = gzipSync('id;name\n1;Ann\n');
      await folder.put('a.csv.gz', packed);
      const plan = await folder.plan('a.csv.gz');
      assert.deepEqual(csvDialect(plan.partitions[0]).columns, ['id', 'name']);
      assert.equal((await folder.read(plan, 'a.csv.gz', plan.partitions[0]!)).toString(), 'id;name\n1;Ann\n');
      await folder.put('b.csv.gz', packed.subarray(0, -9));
      await assert.rejects(folder.plan('b.csv.gz'), { code: 'config', message: /b\.csv\.gz.*gzip/ });
    });

    it('refuses a spreadsheet, an unknown extension and unknown options with a remedy', async () => {
      await folder.put('a.csv', Buffer.from('PK\u0003\u0004rest'));
      await assert.rejects(folder.plan('a.csv'), { code: 'config', message: /zip archive.*CSV/ });
      await folder.put('a.dat', 'id\n1\n');
      await assert.rejects(folder.plan('a.dat'), { code: 'config', message: /a\.dat.*read\.format/ });
      assert.equal((await folder.plan('a.dat', { read: { format: 'csv' } })).columns.length, 1);
      await assert.rejects(folder.plan('a.dat', { read: { delimeter: ';' } }), { code: 'config', message: /delimeter/ });
    });
  });

  describe('JSON', () => {
    it('is the union of keys, with numbers, booleans, texts, nested and mixed values', async () => {
      await folder.put(
        'a.ndjson',
        '{"n":1,"b":true,"t":"x","o":{"a":1},"m":1,"mo":1,"z":null}\n\n{"n":99999999999999999999.5,"m":"a","mo":[1],"late":"y"}\n',
      );
      const plan = await folder.plan('a.ndjson');
      assert.deepEqual(Object.fromEntries(plan.columns.map((column) => [column.name, column.type])), {
        n: 'numeric',
        b: 'boolean',
        t: 'text',
        o: 'jsonb',
        m: 'text',
        mo: 'jsonb',
        z: 'text',
        late: 'text',
      });
      assert.equal(plan.estimatedRows, 2);
    });

    it('reads the real movies file, where a title may be a number', async () => {
      await using data = await openFolder(vega);
      const plan = await data.plan('movies.json');
      const types = new Map(plan.columns.map((column) => [column.name, column.type]));
      assert.deepEqual([types.get('Title'), types.get('US Gross'), types.get('Release Date')], ['text', 'numeric', 'text']);
      assert.equal(plan.estimatedRows, 3201);
    });

    it('takes .json as an array, as one object over lines, or as an object in each line', async () => {
      for (const content of [
        '[{"a":1},\n{"a":2}]',
        '{\n "a": 1\n}',
        '{"a":1}\n{"a":2}\n',
        '\ufeff[{"a":1}]',
        Buffer.from('\ufeff[{"a":1}]', 'utf16le'),
      ]) {
        await folder.put('a.json', content);
        assert.deepEqual((await folder.plan('a.json')).columns, [{ name: 'a', type: 'numeric' }]);
      }
    });

    it('leaves lines that are not JSON to the transform, which rejects them', async () => {
      await folder.put('a.ndjson', '{"a":1}\n{broken\n3\n{"b":"x"}\n');
      assert.deepEqual(
        (await folder.plan('a.ndjson')).columns.map((column) => column.name),
        ['a', 'b'],
      );
    });

    it('names a file that is no JSON, without its values', async () => {
      await folder.put('a.json', '[{"a":1},{"a":SECRET}]');
      await assert.rejects(
        folder.plan('a.json'),
        (error: Error) => /a\.json.*malformed JSON at byte/.test(error.message) && !error.message.includes('SECRET'),
      );
      await folder.put('b.json', '[1, 2]');
      await assert.rejects(folder.plan('b.json'), { code: 'config', message: /b\.json.*no JSON objects/ });
    });

    it('refuses keys that differ only in case', async () => {
      await folder.put('a.ndjson', '{"Id":1}\n{"id":2}\n');
      await assert.rejects(folder.plan('a.ndjson'), { code: 'config', message: /"Id" and "id"/ });
    });
  });

  it('takes the types of Parquet files', async () => {
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    await connection.run(
      `COPY (SELECT 1::UTINYINT AS u, 2::BIGINT AS b, 1.5::DECIMAL(38,18) AS d, 'x' AS t, DATE '2024-01-01' AS day, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS at,
        [1, 2] AS l, {'a': 1} AS s, '\\xAA'::BLOB AS x, gen_random_uuid() AS id) TO '${join(folder.path, 'a.parquet')}' (FORMAT parquet)`,
    );
    connection.closeSync();
    instance.closeSync();
    const plan = await folder.plan('a.parquet');
    assert.equal(
      plan.columns.map((column) => `${column.name} ${column.type}`).join(', '),
      'u smallint, b bigint, d numeric(38,18), t text, day date, at timestamptz, l integer[], s jsonb, x bytea, id uuid',
    );
    assert.equal(plan.estimatedRows, 1);
    assert.equal((await folder.read(plan, 'a.parquet', plan.partitions[0]!)).subarray(0, 4).toString(), 'PAR1');
    await folder.put('b.parquet', 'not parquet at all');
    await assert.rejects(folder.plan('b.parquet'), { code: 'config', message: /b\.parquet/ });
  });

  it('reads every file of a real collection, or says what is wrong with it', async () => {
    await using data = await openFolder(vega);
    const streams = await data.source.discover(undefined, { signal: new AbortController().signal, name: 'test', beat: () => undefined });
    assert.ok(streams.length > 60, String(streams.length));
    for (const stream of streams) assert.ok(stream.columns.length > 0, `${stream.name}: ${stream.notes.join()}`);
  });
});
