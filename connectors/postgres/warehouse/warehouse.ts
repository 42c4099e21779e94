import type { Warehouse } from '../../connector.ts';
import type { PostgresSettings } from '../settings.ts';
import { ensureBooks } from './books.ts';
import { renameStream, setCursor } from './books-edit.ts';
import { listLoads, listRejections, listStreams } from './books-query.ts';
import { checkWarehouse } from './check.ts';
import { commit } from './commit.ts';
import { discard } from './discard.ts';
import { loadFile } from './load-file.ts';
import { buildModel } from './model.ts';
import { openSession, type WarehouseContext } from './open.ts';
import { prepare } from './prepare.ts';
import { pulse } from './pulse.ts';
import { query } from './query.ts';
import { waitsOfReader } from './reader-waits.ts';
import { retain } from './retain.ts';
import { readStreamState } from './state.ts';
import type { LockPolicy } from './transaction.ts';

const patience: LockPolicy = { timeout: 2_000, attempts: 5 };

/** Opens a PostgreSQL database as a warehouse. Each call connects for itself, under the name of its attempt. */
export async function openWarehouse(settings: PostgresSettings, name: string, locks: LockPolicy = patience): Promise<Warehouse> {
  const context: WarehouseContext = { settings, name, locks };
  return {
    formats: ['pgcopy', 'csv'],
    check: async (attempt, use = 'load') => await checkWarehouse(context, use, attempt),
    state: async (stream, attempt) => {
      await using session = await openSession(context, attempt);
      return await session.run(async (client) => {
        await ensureBooks(client);
        return await readStreamState(client, stream, stream.target);
      });
    },
    prepare: async (load, attempt) => await prepare(context, load, attempt),
    load: async (load, prepared, file, fileNo, bytes, attempt) => await loadFile(context, load, prepared, file, fileNo, bytes, attempt),
    commit: async (load, prepared, manifest, rejections, attempt) => await commit(context, load, prepared, manifest, rejections, attempt),
    discard: async (load, prepared, rejections, reason, attempt) => await discard(context, load, prepared, rejections, reason, attempt),
    query: async (sql, attempt) => await query(context, sql, attempt),
    pulse: async (sql, attempt) => await pulse(context, sql, attempt),
    neverCommitted: async (names, attempt) => await waitsOfReader(context, names, attempt),
    build: async (model, attempt) => await buildModel(context, model, attempt),
    retain: async (retention, attempt) => await retain(context, retention, attempt),
    books: {
      listLoads: async (query, attempt) => await listLoads(context, query, attempt),
      listRejections: async (query, attempt) => await listRejections(context, query, attempt),
      listStreams: async (query, attempt) => await listStreams(context, query, attempt),
      setCursor: async (stream, cursor, attempt) => await setCursor(context, stream, cursor, attempt),
      renameStream: async (stream, to, attempt) => await renameStream(context, stream, to, attempt),
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
