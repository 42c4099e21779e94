import type pg from 'pg';
import { firstValue, preparedOn } from './first-value.ts';
import type { PooledSession } from './session-pool.ts';

/** Statements that a session keeps prepared; the ones that weren't used for longest go. */
export const mostPrepared = 200;
/** Characters of their texts: the server's plans are some dozen times as large. */
const mostCharacters = 512 * 1024;
/** Longer texts are planned each time. */
const longestPrepared = 64 * 1024;

/** The first column of a statement's first row, as text. The statement stays prepared in the session. */
export function runPrepared(pooled: PooledSession, name: string, text: string, values: readonly unknown[]): Promise<string | undefined> {
  const { client } = pooled.session;
  if (text.length > longestPrepared) return runQuery(client, { text, values: [...values] });
  const run = (): Promise<string | undefined> =>
    firstValue(client, name, text, values) ?? runQuery(client, { name, text, values: [...values] });
  if (isKnown(pooled.prepared, name)) return run();
  return makeRoom(client, pooled.prepared, name, text.length).then(run);
}

async function runQuery(client: pg.Client, query: pg.QueryConfig): Promise<string | undefined> {
  const { rows } = await client.query<[string | null]>({ ...query, rowMode: 'array' });
  return rows[0]?.[0] ?? undefined;
}

/** Whether a statement is prepared; it is the one that was used last, then. */
function isKnown(prepared: Map<string, number>, name: string): boolean {
  const length = prepared.get(name);
  if (length === undefined) return false;
  prepared.delete(name);
  prepared.set(name, length);
  return true;
}

/** Makes room for a new statement. */
async function makeRoom(client: pg.Client, prepared: Map<string, number>, name: string, length: number): Promise<void> {
  prepared.set(name, length);
  let characters = [...prepared.values()].reduce((sum, one) => sum + one, 0);
  for (const [oldest, itsLength] of prepared) {
    if (prepared.size <= mostPrepared && characters <= mostCharacters) break;
    prepared.delete(oldest);
    characters -= itsLength;
    await forget(client, oldest);
  }
}

async function forget(client: pg.Client, name: string): Promise<void> {
  const known = preparedOn(client.connection);
  // One that failed when it was parsed isn't there.
  if (!Object.hasOwn(known, name)) return;
  Reflect.deleteProperty(known, name);
  await client.query(`DEALLOCATE "${name}"`);
}
