import type { Attempt } from '../../connector.ts';
import { connect, type Session } from '../session.ts';
import type { PostgresSettings } from '../settings.ts';

/** Proves from a second connection that a session works: reports it to the attempt, and remembers who blocks it. */
export interface Watch extends AsyncDisposable {
  /** The sessions that were last seen blocking the watched one, for people; empty when none was. */
  blockers(): string;
}

const alive = `SELECT state = 'active' AS active, coalesce((
  SELECT string_agg(format('session %s (%s, user %s, since %s)', b.pid, coalesce(nullif(b.application_name, ''), 'no application name'), b.usename,
    to_char(coalesce(b.xact_start, b.backend_start), 'YYYY-MM-DD HH24:MI:SS TZ')), ', ')
  FROM pg_catalog.pg_stat_activity b WHERE b.pid = ANY (pg_catalog.pg_blocking_pids(a.pid))), '') AS blockers
FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1`;

/** Watches a session every `interval` milliseconds; the second connection is only made once the first interval has passed. */
export function watch(settings: PostgresSettings, pid: number, attempt: Attempt, interval: number): Watch {
  const second: Attempt = { ...attempt, name: `millrace:watch:${pid}` };
  let session: Session | undefined;
  let blockers = '';
  let looking: Promise<void> = Promise.resolve();
  let busy = false;
  const look = async (): Promise<void> => {
    try {
      session ??= await connect(settings, second, { what: 'warehouse', readOnly: true });
      const [row] = await session.query<{ active: boolean; blockers: string }>(alive, [pid]);
      if (row?.active === true) attempt.beat({ session: pid });
      if (row !== undefined && row.blockers !== '') blockers = row.blockers;
    } catch {
      // No proof, no beat: the next look connects again, and the step times out when none succeeds.
      session?.destroy();
      session = undefined;
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    looking = look();
  }, interval);
  return {
    blockers: () => blockers,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await looking;
      await session?.[Symbol.asyncDispose]();
    },
  };
}
