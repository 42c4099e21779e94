import { randomUUID } from 'node:crypto';
import { link, readFile, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { MillraceError } from '../schema/errors.ts';

const storeSchema = z.object({ id: z.uuid(), madeOn: z.string() });

/** Who a store is: its id, and the host that made it (for messages). */
export type Store = z.infer<typeof storeSchema>;

/** Reads the store's identity from its root, making it once: of several processes that start together all get the same. */
export async function identifyStore(root: string): Promise<Store> {
  const path = join(root, 'store.json');
  return (await readStore(path)) ?? (await makeStore(path));
}

async function makeStore(path: string): Promise<Store> {
  const made: Store = { id: randomUUID(), madeOn: hostname() };
  const temporary = `${path}.${made.id}`;
  await writeFile(temporary, `${JSON.stringify(made)}\n`, { mode: 0o600, flush: true });
  try {
    await link(temporary, path);
    return made;
  } catch (error) {
    const winner = await readStore(path);
    if (winner === undefined) throw error;
    return winner;
  } finally {
    await unlink(temporary);
  }
}

async function readStore(path: string): Promise<Store | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return storeSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new MillraceError('config', `${path} is damaged. Stop the workers and remove the staging folder; runs under way begin again.`, {
      cause,
    });
  }
}
