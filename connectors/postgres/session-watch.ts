import type { Attempt } from '../connector.ts';
import type { Session } from './session.ts';
import { connect } from './session.ts';
import type { PostgresSettings } from './settings.ts';

const everyMilliseconds = 1_000;

/**
 * Beats for a session whose statement runs long: every second a second connection looks whether its backend works, and only
 * then the attempt beats. A backend that waits for us to take or give bytes is no proof. Ends when disposed.
 */
export function watch(settings: PostgresSettings, session: Session, attempt: Attempt): AsyncDisposable {
  const ended = new AbortController();
  const watching = keepWatching(settings, session.pid, attempt, ended.signal);
  return {
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await watching;
    },
  };
}

async function keepWatching(settings: PostgresSettings, pid: number, attempt: Attempt, ended: AbortSignal): Promise<void> {
  const signal = AbortSignal.any([attempt.signal, ended]);
  while (!(await pause(ended))) {
    // No proof, no beat: after a failed look the next one connects again.
    await look(settings, pid, { ...attempt, signal, name: `${attempt.name}:watch` }, attempt, ended).catch(() => undefined);
  }
}

/** Looks every second, until watching ends or a look fails. */
async function look(settings: PostgresSettings, pid: number, own: Attempt, attempt: Attempt, ended: AbortSignal): Promise<void> {
  await using observer = await connect(settings, own, { readOnly: true });
  do {
    const rows = await observer.query(
      "SELECT FROM pg_stat_activity WHERE pid = $1 AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Client'",
      [pid],
    );
    if (rows.length > 0) attempt.beat();
  } while (!(await pause(ended)));
}

/** Waits for the next look; true when watching has ended. */
async function pause(ended: AbortSignal): Promise<boolean> {
  if (ended.aborted) return true;
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      ended.removeEventListener('abort', done);
      resolve(ended.aborted);
    };
    const timer = setTimeout(done, everyMilliseconds);
    ended.addEventListener('abort', done);
  });
}
