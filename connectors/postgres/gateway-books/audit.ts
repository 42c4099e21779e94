import { MillraceError } from '../../../schema/errors.ts';
import type { AuditEntry, BookedAudit } from '../../gateway-books.ts';
import type { Session } from '../session.ts';

/** What a hash is made of, but for the one before: all that an entry says, in PostgreSQL's canonical JSON. */
const entryText = (row: string): string =>
  `jsonb_build_array(${row}.project, ${row}.no, extract(epoch FROM ${row}.at), ${row}.actor, ${row}.action, ${row}.target, ${row}.result, ${row}.details)::text`;
const hashOf = (previous: string, row: string): string => `encode(sha256(convert_to(${previous} || ${entryText(row)}, 'UTF8')), 'hex')`;

const append = `WITH RECURSIVE head AS (
  SELECT no, hash FROM _millrace.audit WHERE project = $1 ORDER BY no DESC LIMIT 1
), given AS (
  SELECT $1::text AS project, coalesce((SELECT no FROM head), 0) + place AS no, place,
    coalesce((entry ->> 'at')::timestamptz, clock_timestamp()) AS at,
    entry ->> 'actor' AS actor, entry ->> 'action' AS action, entry ->> 'target' AS target, entry ->> 'result' AS result,
    entry -> 'details' AS details
  FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY given(entry, place)
), chain AS (
  SELECT given.*, h.previous, ${hashOf('h.previous', 'given')} AS hash
  FROM given, (SELECT coalesce((SELECT hash FROM head), '') AS previous) h WHERE place = 1
  UNION ALL
  SELECT given.*, chain.hash, ${hashOf('chain.hash', 'given')} FROM chain JOIN given ON given.place = chain.place + 1
)
INSERT INTO _millrace.audit (project, no, at, actor, action, target, result, details, previous, hash)
SELECT project, no, at, actor, action, target, result, details, previous, hash FROM chain RETURNING no, hash`;

interface Place {
  readonly no: string;
  readonly hash: string;
}

/** Runs work as the only one that writes this project's entries. */
async function alone<T>(session: Session, project: string, work: () => Promise<T>): Promise<T> {
  await session.query('BEGIN');
  try {
    await session.query(`SELECT pg_advisory_xact_lock(hashtextextended('millrace.audit ' || $1, 0))`, [project]);
    const result = await work();
    await session.query('COMMIT');
    return result;
  } catch (error) {
    await session.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Appends entries of one project; a second run finds what the first one wrote when only its answer was lost. */
export class AuditAppend {
  readonly #project: string;
  readonly #entries: string;
  #written: Place | undefined;

  constructor(project: string, entries: readonly AuditEntry[]) {
    this.#project = project;
    this.#entries = JSON.stringify(entries);
  }

  async run(session: Session): Promise<void> {
    await alone(session, this.#project, async () => {
      if (await this.#isThere(session)) return;
      const rows = await session.query<Place>(append, [this.#project, this.#entries]);
      this.#written = rows.at(-1);
    });
  }

  async #isThere(session: Session): Promise<boolean> {
    if (this.#written === undefined) return false;
    const { no, hash } = this.#written;
    const found = await session.query('SELECT FROM _millrace.audit WHERE project = $1 AND no = $2 AND hash = $3', [
      this.#project,
      no,
      hash,
    ]);
    return found.length > 0;
  }
}

type AuditRow = Omit<BookedAudit, 'at' | 'details'> & { readonly milliseconds: number; readonly details: string };

export async function listAudit(session: Session, project: string, limit: number): Promise<readonly BookedAudit[]> {
  const rows = await session.query<AuditRow>(
    `SELECT project, no, (extract(epoch FROM at) * 1000)::float8 AS milliseconds, actor, action, target, result, details::text AS details
     FROM _millrace.audit WHERE project = $1 ORDER BY no DESC LIMIT $2`,
    [project, limit],
  );
  return rows.map(({ milliseconds, details, ...row }) => ({
    ...row,
    at: new Date(milliseconds),
    details: JSON.parse(details) as BookedAudit['details'],
  }));
}

// The first entry of all follows none; else one that is kept says that the chain was made to begin there.
const verify = `WITH entries AS (
  SELECT a.*, lag(no) OVER w AS before_no, lag(hash) OVER w AS before_hash
  FROM _millrace.audit a WHERE project = $1 WINDOW w AS (ORDER BY no)
), wrong AS (
  SELECT no FROM entries e
  WHERE hash <> ${hashOf('previous', 'e')}
    OR before_no IS NOT NULL AND (no <> before_no + 1 OR previous <> before_hash)
    OR before_no IS NULL AND (no, previous) <> (1, '') AND NOT EXISTS (
      SELECT FROM entries r WHERE r.action = 'audit.retain' AND r.no > e.no
        AND r.details = jsonb_build_object('begins', e.no, 'previous', e.previous))
)
SELECT (SELECT count(*) FROM entries) AS entries, (SELECT min(no) FROM wrong) AS wrong`;

export async function verifyAudit(session: Session, project: string): Promise<number> {
  const [row] = await session.query<{ entries: string; wrong: string | null }>(verify, [project]);
  if (row?.wrong == null) return Number(row?.entries ?? 0);
  throw new MillraceError(
    'rejected',
    `audit log of project ${project}: entry ${row.wrong} is not what was written there, or entries before it are missing; somebody with rights on the database has changed _millrace.audit`,
  );
}

/** Removes what is older than so many milliseconds. The chain's new beginning is an entry itself, so that a removal by anybody else is found. */
export async function retainAudit(session: Session, project: string, age: number): Promise<void> {
  await alone(session, project, async () => {
    const [first] = await session.query<{ no: string; previous: string; older: boolean }>(
      `SELECT no, previous, EXISTS (SELECT FROM _millrace.audit b WHERE b.project = $1 AND b.no < a.no) AS older
       FROM _millrace.audit a WHERE project = $1 AND (at >= clock_timestamp() - $2::float8 * interval '1 millisecond'
         OR no = (SELECT max(no) FROM _millrace.audit WHERE project = $1)) ORDER BY no LIMIT 1`,
      [project, age],
    );
    if (first === undefined || !first.older) return;
    await session.query(`SELECT set_config('millrace.retain', 'on', true)`);
    await session.query('DELETE FROM _millrace.audit WHERE project = $1 AND no < $2::bigint', [project, first.no]);
    const entry = { actor: 'millrace', action: 'audit.retain', target: project, result: 'done' };
    const details = { begins: Number(first.no), previous: first.previous };
    await session.query(append, [project, JSON.stringify([{ ...entry, details }])]);
  });
}
