import type pg from 'pg';
import type { PooledSession } from './session-pool.ts';
import { statementName } from './statement.ts';

/** Statements that a session keeps prepared; the one that wasn't used for longest goes. */
export const mostPrepared = 200;

const names = new Map<string, string>();
const mostNames = 2_000;

/** Digests of texts are made once. */
function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  if (names.size >= mostNames) names.clear();
  const name = statementName(text);
  names.set(text, name);
  return name;
}

/** The first column of a statement's first row, as text; the statement stays prepared. */
export async function runPrepared(pooled: PooledSession, text: string, values: readonly unknown[]): Promise<string | undefined> {
  const { session, prepared } = pooled;
  const name = nameOf(text);
  if (!prepared.delete(name) && prepared.size >= mostPrepared) await forgetOldest(session.client, prepared);
  prepared.add(name);
  const { rows } = await session.client.query<[string | null]>({ name, text, values: [...values], rowMode: 'array' });
  return rows[0]?.[0] ?? undefined;
}

async function forgetOldest(client: pg.Client, prepared: Set<string>): Promise<void> {
  const [oldest] = prepared;
  if (oldest === undefined) return;
  prepared.delete(oldest);
  const known: unknown = Reflect.get(client.connection, 'parsedStatements');
  // One that failed when it was parsed isn't there.
  if (typeof known !== 'object' || known === null || !Reflect.has(known, oldest)) return;
  Reflect.deleteProperty(known, oldest);
  await client.query(`DEALLOCATE "${oldest}"`);
}
