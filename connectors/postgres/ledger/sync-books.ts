import type { SyncBooks } from '../../sync-books.ts';
import { postgresLimitStore } from '../limits.ts';
import type { PostgresSettings } from '../settings.ts';
import { postgresTokenStore } from '../tokens.ts';
import { booksConnection } from './connection.ts';
import { end, retain } from './end.ts';
import { explain } from './explain.ts';
import { hold, prove, release } from './hold.ts';
import { noteJobs } from './jobs.ts';
import { listOpen, listRuns, mappingChange, retryAt } from './lists.ts';
import { plan } from './plan.ts';
import { rows, rowsOf } from './plan-rows.ts';
import { preview } from './preview.ts';
import { mark, record, unmark } from './record.ts';

/** Opens the books of syncs in a PostgreSQL database, over one connection. */
export async function openSyncBooks(settings: PostgresSettings, name: string): Promise<SyncBooks> {
  const books = booksConnection(settings, name);
  const limits = postgresLimitStore(settings, name);
  const tokens = postgresTokenStore(settings, name);
  return {
    limits,
    tokens,
    plan: async (request, attempt) => await plan(books, request, attempt),
    preview: async (request, samples, attempt) => await preview(books, request, samples, attempt),
    hold: async (run, attempt) => await hold(books, run, attempt),
    release: async (held, attempt) => await release(books, held, attempt),
    rows: async (run, from, limit, attempt) => await rows(books, run, from, limit, attempt),
    rowsOf: async (run, ranges, attempt) => await rowsOf(books, run, ranges, attempt),
    prove: async (held, attempt) => await prove(books, held, attempt),
    noteJobs: async (held, jobs, of, attempt) => await noteJobs(books, held, jobs, of, attempt),
    mark: async (held, nos, attempt) => await mark(books, held, nos, attempt),
    unmark: async (held, nos, attempt) => await unmark(books, held, nos, attempt),
    record: async (held, recorded, attempt) => await record(books, held, recorded, attempt),
    end: async (run, failure, attempt) => await end(books, run, failure, attempt),
    retain: async (sync, attempt) => await retain(books, sync, attempt),
    listOpen: async (query, attempt) => await listOpen(books, query, attempt),
    retryAt: async (query, attempt) => await retryAt(books, query, attempt),
    listRuns: async (query, attempt) => await listRuns(books, query, attempt),
    mappingChange: async (sync, identity, attempt) => await mappingChange(books, sync, identity, attempt),
    explain: async (request, key, attempt) => await explain(books, request, key, attempt),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([books, limits, tokens].map(async (part) => await part[Symbol.asyncDispose]()));
    },
  };
}
