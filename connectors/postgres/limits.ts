import { newLimitState, pauseUntil, returnPermits, takePermits, type LimitState } from '../http/limit-state.ts';
import type { LimitStore, Permits } from '../http/stores.ts';
import { KeptSession } from './kept-session.ts';
import type { Session } from './session.ts';
import type { PostgresSettings } from './settings.ts';

interface StateRow {
  readonly state: string;
  readonly version: string;
  /** Milliseconds since 1970 by the server's clock, the one that counts for all workers. */
  readonly now: number;
}

const read = `SELECT state::text AS state, version, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now
FROM _millrace.limits WHERE credential = $1`;
const make = `INSERT INTO _millrace.limits (credential, version, state) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING`;
// A process that was stopped in between must not write what was true when it read.
const write = `UPDATE _millrace.limits SET state = $2, version = version + 1, at = now()
WHERE credential = $1 AND version = $3 AND clock_timestamp() < to_timestamp($4::float8 / 1000) + interval '500 milliseconds' RETURNING version`;

/** Changes a credential's state as nobody else does meanwhile; who comes second reads again. A state that stays the same isn't written. */
async function change<T>(
  session: Session,
  credential: string,
  next: (state: LimitState, now: number) => readonly [LimitState, T],
): Promise<T> {
  for (;;) {
    const [row] = await session.query<StateRow>(read, [credential]);
    if (row === undefined) {
      await session.query(make, [credential, JSON.stringify(newLimitState)]);
      continue;
    }
    const state = JSON.parse(row.state) as LimitState;
    const [changed, result] = next(state, row.now);
    if (changed === state) return result;
    const written = await session.query(write, [credential, JSON.stringify(changed), row.version, row.now]);
    if (written.length === 1) return result;
  }
}

/** Limits in the books (`_millrace.limits`), shared by all workers, over a connection of its own that is open from its first use to the end. */
export function postgresLimitStore(settings: PostgresSettings, name: string): LimitStore & AsyncDisposable {
  const kept = new KeptSession(settings, `connection ${name}, limits of applications`);
  return {
    async take(credential, limits, wanted, lease): Promise<Permits> {
      return await kept.run(
        async (session) =>
          await change(session, credential, (state, now) => {
            const [taken, permits] = takePermits(state, limits, wanted, lease, now);
            return [permits.granted === 0 ? state : taken, permits];
          }),
      );
    },
    async giveBack(credential, permits) {
      await kept.run(async (session) => await change(session, credential, (state) => [returnPermits(state, permits), undefined]));
    },
    async pause(credential, milliseconds) {
      await kept.run(
        async (session) => await change(session, credential, (state, now) => [pauseUntil(state, now + milliseconds), undefined]),
      );
    },
    [Symbol.asyncDispose]: async () => await kept[Symbol.asyncDispose](),
  };
}
