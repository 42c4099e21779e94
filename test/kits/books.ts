import assert from 'node:assert/strict';
import pg from 'pg';

interface BookedLoad {
  readonly stream: string;
  readonly read: string;
  readonly loaded: string;
  readonly rejected: string;
  readonly filtered: string;
  readonly duplicates: string;
  readonly unchanged: string;
}

/**
 * Asserts that the books of a warehouse balance: for each load read = loaded + rejected + filtered + duplicates + unchanged, the state of
 * each stream has one version for each of its loads and generation, and no load's table or file list is left of committed loads.
 * Gives the number of loads.
 */
export async function assertBooksBalance(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: loads } = await client.query<BookedLoad>('SELECT * FROM _millrace.loads ORDER BY committed_at');
    for (const load of loads) {
      const sum = [load.loaded, load.rejected, load.filtered, load.duplicates, load.unchanged].reduce(
        (total, part) => total + BigInt(part),
        0n,
      );
      assert.equal(sum, BigInt(load.read), `books of stream ${load.stream}: ${JSON.stringify(load)}`);
    }
    const { rows: versions } = await client.query(
      `SELECT s.pipeline, s.stream, s.version, count(l.load_id) AS loads FROM _millrace.state s LEFT JOIN _millrace.loads l USING (project, pipeline, stream)
       GROUP BY s.pipeline, s.stream, s.version HAVING s.version < count(l.load_id) OR s.version < coalesce(max(l.version), 0)`,
    );
    assert.deepEqual(versions, [], 'each version of a state is one load');
    const { rows: left } = await client.query(
      `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN _millrace.loads l ON c.relname = 'l_' || replace(l.load_id::text, '-', '')
       WHERE n.nspname = '_millrace'`,
    );
    assert.deepEqual(left, [], 'committed loads leave no table behind');
    return loads.length;
  } finally {
    await client.end();
  }
}
