import type { Session } from './session.ts';
import { readPrefix } from './session.ts';
import { quoteIdentifier, quoteTable } from './sql.ts';

/** A moment before which every committed row is visible to snapshots taken from now on; or why there is no such moment. */
export type Bound =
  | {
      readonly known: true;
      readonly bound: string;
      /** The session that holds it back, where there is one. */
      readonly notes: readonly string[];
    }
  | {
      readonly known: false;
      readonly reason: string;
      /** What would make it known, where something can. */
      readonly remedy: string | undefined;
    };

interface Facts {
  readonly user: string;
  readonly readsActivity: boolean;
  readonly standby: boolean;
  readonly tracked: boolean;
}

interface Open {
  readonly bound: string;
  readonly pid: number | null;
  readonly application: string | null;
  readonly since: string | null;
}

// Autovacuum's transactions write no rows; parallel workers show their leader's transaction.
const openTransactions = `
WITH open AS (
  SELECT pid, application_name, xact_start FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
    AND backend_type <> 'autovacuum worker' AND NOT starts_with(application_name, '${readPrefix}')
  ORDER BY xact_start LIMIT 1
)
SELECT (least(statement_timestamp(), xact_start) - interval '1 second')::text AS bound,
  CASE WHEN xact_start < statement_timestamp() - interval '1 second' THEN pid END AS pid,
  application_name AS application, xact_start::text AS since
FROM (SELECT) one LEFT JOIN open ON true`;

/**
 * Takes the bound. The order of its three looks matters: a transaction that leaves the list of sessions by being prepared is seen
 * among the prepared ones, which are looked at last. With a table it also says whether that is written by another server's transactions.
 */
export async function takeBound(session: Session, table?: { readonly schema: string; readonly table: string }): Promise<Bound> {
  const unknown = (table === undefined ? undefined : await whyElsewhere(session, quoteTable(table))) ?? (await whyUnknown(session));
  if (unknown !== undefined) return unknown;
  const [open] = await session.query<Open>(openTransactions);
  const prepared = await session.query('SELECT FROM pg_prepared_xacts WHERE database = current_database() LIMIT 1');
  if (open === undefined || prepared.length > 0) {
    return {
      known: false,
      reason: 'the database holds prepared transactions, whose beginning the server does not tell',
      remedy: 'end them (COMMIT PREPARED, ROLLBACK PREPARED; see pg_prepared_xacts)',
    };
  }
  return { known: true, bound: open.bound, notes: holder(open) };
}

function holder({ pid, application, since }: Open): readonly string[] {
  if (pid === null) return [];
  const name = application === null || application === '' ? 'without a name' : `"${application}"`;
  return [`session ${pid} (${name}) holds the cursor's bound back: its transaction is open since ${since}`];
}

async function whyElsewhere(session: Session, table: string): Promise<Bound | undefined> {
  const [facts] = await session.query<{ foreign: boolean; replicated: boolean }>(
    `WITH part AS (SELECT $1::regclass AS oid UNION SELECT relid FROM pg_partition_tree($1::regclass))
     SELECT EXISTS (SELECT FROM part JOIN pg_foreign_table f ON f.ftrelid = part.oid) AS foreign,
       EXISTS (SELECT FROM part JOIN pg_subscription_rel s ON s.srrelid = part.oid) AS replicated`,
    [table],
  );
  if (facts?.foreign === true)
    return { known: false, reason: 'its rows are in a foreign table, so in transactions of another server', remedy: undefined };
  if (facts?.replicated !== true) return undefined;
  return { known: false, reason: "its rows arrive by logical replication, with another server's clock", remedy: 'read from the publisher' };
}

async function whyUnknown(session: Session): Promise<Bound | undefined> {
  const [facts] = await session.query<Facts>(
    `SELECT current_user::text AS user, pg_has_role('pg_read_all_stats', 'USAGE') AS "readsActivity",
       pg_is_in_recovery() AS standby, current_setting('track_activities')::boolean AS tracked`,
  );
  if (facts === undefined) return undefined;
  if (facts.standby)
    return {
      known: false,
      reason: 'the server is a standby and does not see the transactions of its primary',
      remedy: 'read from the primary',
    };
  if (!facts.readsActivity) {
    const remedy = `GRANT pg_read_all_stats TO ${quoteIdentifier(facts.user)}`;
    return { known: false, reason: 'this user does not see the transactions of others', remedy };
  }
  if (!facts.tracked) return { known: false, reason: 'the server does not track its sessions', remedy: 'set track_activities = on' };
  return undefined;
}
