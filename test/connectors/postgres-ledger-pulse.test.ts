import assert from 'node:assert/strict';
import { openWarehouse } from '../../connectors/postgres/warehouse/warehouse.ts';
import { attempt } from '../kits/loads.ts';
import { useWarehouse } from '../kits/postgres-warehouse.ts';

describe('PostgreSQL as warehouse: pulse of a query', () => {
  const under = useWarehouse();
  const pulse = async (sql: string): Promise<string> => await under.warehouse.pulse(sql, attempt('pulse'));
  const execute = async (sql: string): Promise<void> => void (await under.client.query(sql));

  /** The server counts commits late: the pulse has to change sooner or later. */
  async function changes(sql: string, before: string): Promise<void> {
    for (const end = Date.now() + 45_000; Date.now() < end;) {
      if ((await pulse(sql)) !== before) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.fail('the pulse stayed as it was');
  }

  /** Has the counters written now, so that nothing comes late into what is compared. */
  const flushed = async (): Promise<void> => execute('SELECT pg_stat_force_next_flush(); SELECT 1');

  async function beats(sql: string, ...commits: string[]): Promise<void> {
    for (const commit of commits) {
      await flushed();
      const before = await pulse(sql);
      assert.equal(await pulse(sql), before, 'it changed without a commit');
      await execute(commit);
      await flushed();
      await changes(sql, before);
    }
  }

  beforeEach(async () => await execute('CREATE TABLE t (id int, name text); INSERT INTO t VALUES (1)'));

  it('changes with each kind of commit, through views over views', async () => {
    await execute('CREATE VIEW v AS SELECT * FROM t WHERE id > 0; CREATE VIEW w AS SELECT id FROM v; CREATE TABLE other (id int)');
    await beats(
      'SELECT * FROM w; -- all',
      'INSERT INTO t VALUES (2)',
      "UPDATE t SET name = 'x' WHERE id = 2",
      'DELETE FROM t WHERE id = 2',
      'TRUNCATE t',
      'CREATE TABLE n AS TABLE t; ALTER TABLE t RENAME TO old; ALTER TABLE n RENAME TO t; CREATE OR REPLACE VIEW v AS SELECT id, name FROM t WHERE id > 0',
      'CREATE OR REPLACE VIEW v AS SELECT * FROM t WHERE id > 1',
    );
    await flushed();
    const before = await pulse('SELECT * FROM w');
    await execute('INSERT INTO other VALUES (1)');
    await flushed();
    assert.equal(await pulse('SELECT * FROM w'), before, 'a table that it does not read');
  });

  it('changes when a table takes the place of another by name', async () => {
    await beats('SELECT * FROM t', 'BEGIN; CREATE TABLE n AS TABLE t; DROP TABLE t; ALTER TABLE n RENAME TO t; COMMIT');
  });

  it('changes with the parts of a partitioned table, with new parts, and with a refreshed view', async () => {
    await execute(
      'CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); CREATE MATERIALIZED VIEW m AS SELECT id FROM t',
    );
    await beats(
      'SELECT * FROM p',
      'INSERT INTO p VALUES (1)',
      'CREATE TABLE p2 (id int); INSERT INTO p2 VALUES (10); ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (19)',
      'INSERT INTO p VALUES (11)',
      'ALTER TABLE p DETACH PARTITION p1',
    );
    await beats('SELECT * FROM m', 'INSERT INTO t VALUES (7); REFRESH MATERIALIZED VIEW m');
  });

  it('changes with tables that only a function reads', async () => {
    await execute(`CREATE FUNCTION total() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM t); END'`);
    await beats('SELECT total() AS total', 'INSERT INTO t VALUES (3)');
    await beats('SELECT * FROM total()', 'INSERT INTO t VALUES (3)');
  });

  it('a commit that is counted late changes a later pulse', async () => {
    await flushed();
    const writer = await under.session();
    await writer.query('SELECT 1');
    const before = await pulse('SELECT * FROM t');
    await writer.query('INSERT INTO t VALUES (4)');
    await writer.query('INSERT INTO t VALUES (5)');
    await writer.end();
    await changes('SELECT * FROM t', before);
  });

  it('a role that can only read, and may make no temporary tables, feels it', async () => {
    const role = `reader_${new URL(under.url).pathname.slice(-12)}`;
    await execute(
      `CREATE ROLE ${role} LOGIN PASSWORD 'reads'; GRANT SELECT ON t TO ${role}; REVOKE TEMP ON DATABASE "${new URL(under.url).pathname.slice(1)}" FROM PUBLIC`,
    );
    const url = new URL(under.url);
    url.username = role;
    url.password = 'reads';
    const reader = await openWarehouse({ type: 'postgres', url: url.href }, 'reader');
    try {
      await flushed();
      const before = await reader.pulse('SELECT * FROM t', attempt('pulse'));
      await execute('INSERT INTO t VALUES (6)');
      await flushed();
      assert.notEqual(await reader.pulse('SELECT * FROM t', attempt('pulse')), before);
      await using rows = await reader.query('SELECT id, name FROM t ORDER BY id', attempt('query'));
      assert.deepEqual(
        rows.columns.map((column) => column.type),
        ['integer', 'text'],
      );
    } finally {
      await execute(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  it('rows of a query are one snapshot as CSV, and a query that writes or fails is said in the words of the database', async () => {
    await execute(`INSERT INTO t VALUES (2, 'a "b", c'), (3, ''); CREATE SEQUENCE s`);
    await using rows = await under.warehouse.query('SELECT id, name FROM t ORDER BY id -- all', attempt('query'));
    const chunks: Uint8Array[] = [];
    for await (const bytes of rows.bytes) chunks.push(bytes);
    assert.equal(Buffer.concat(chunks).toString(), '"1",\n"2","a ""b"", c"\n"3",""\n');
    const fails = async (sql: string, message: RegExp): Promise<void> =>
      await assert.rejects(
        async () => {
          await using read = await under.warehouse.query(sql, attempt('query'));
          for await (const _ of read.bytes);
        },
        { code: 'config', message },
      );
    await fails('SELECT nothing FROM t', /column "nothing" does not exist/);
    await fails('SELECT 1 / (id - id) FROM t', /SQLSTATE 22012/);
    await fails(`SELECT nextval('s')`, /read-only/);
    await fails('SELECT 1) x; DROP TABLE t; SELECT (1', /multiple commands/);
  });
});
