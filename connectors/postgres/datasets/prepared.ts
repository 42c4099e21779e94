import type pg from 'pg';
import type { PooledSession } from './session-pool.ts';
import { statementName } from './statement.ts';

/** Statements that a session keeps prepared; the ones that weren't used for longest go. */
export const mostPrepared = 200;
/** Characters of their texts: the server's plans are some dozen times as large. */
const mostCharacters = 512 * 1024;
/** Longer texts are planned each time. */
const longestPrepared = 64 * 1024;

/** The first column of a statement's first row, as text. The statement stays prepared in the session. */
export async function runPrepared(pooled: PooledSession, text: string, values: readonly unknown[]): Promise<string | undefined> {
  const { client } = pooled.session;
  const name = text.length > longestPrepared ? undefined : await keep(client, pooled.prepared, text);
  const { rows } = await client.query<[string | null]>({
    ...(name === undefined ? {} : { name }),
    text,
    values: [...values],
    rowMode: 'array',
  });
  return rows[0]?.[0] ?? undefined;
}

/** Makes room for a statement and gives its name. */
async function keep(client: pg.Client, prepared: Map<string, number>, text: string): Promise<string> {
  const name = statementName(text);
  if (prepared.delete(name)) {
    prepared.set(name, text.length);
    return name;
  }
  prepared.set(name, text.length);
  let characters = [...prepared.values()].reduce((sum, one) => sum + one, 0);
  for (const [oldest, length] of prepared) {
    if (prepared.size <= mostPrepared && characters <= mostCharacters) break;
    prepared.delete(oldest);
    characters -= length;
    await forget(client, oldest);
  }
  return name;
}

async function forget(client: pg.Client, name: string): Promise<void> {
  const known: unknown = Reflect.get(client.connection, 'parsedStatements');
  // One that failed when it was parsed isn't there.
  if (typeof known !== 'object' || known === null || !Reflect.has(known, name)) return;
  Reflect.deleteProperty(known, name);
  await client.query(`DEALLOCATE "${name}"`);
}
