import type { Change } from '../../gateway-books.ts';
import type { DeadLetter, WebhookBooks, WebhookPlace, WebhookStanding } from '../../webhook-books.ts';
import { KeptSession } from '../kept-session.ts';
import type { PostgresSettings } from '../settings.ts';

const moment = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** Changes to datasets that are named, or whose schema is; `$2` names, `$3` schemas with their dot. */
const matches = `(c.dataset = ANY ($2::text[]) OR EXISTS (SELECT FROM unnest($3::text[]) s WHERE starts_with(c.dataset, s)))`;

const parametersOf = (datasets: readonly string[]): readonly [readonly string[], readonly string[]] => [
  datasets.filter((dataset) => !dataset.endsWith('.*')),
  datasets.filter((dataset) => dataset.endsWith('.*')).map((dataset) => (dataset === '*.*' ? '' : dataset.slice(0, -1))),
];

/** The books of outgoing webhooks in a PostgreSQL database, over one connection. */
export async function openWebhookBooks(settings: PostgresSettings, name: string): Promise<WebhookBooks> {
  const session = new KeptSession(settings, `connection ${name}, books of webhooks`, {
    settings: { synchronous_commit: 'on' },
    deadline: 20_000,
  });
  const query = async <Row extends object>(text: string, values: readonly unknown[]): Promise<readonly Row[]> =>
    await session.run(async (open) => await open.query<Row>(text, values));
  const move = async ({ project, webhook }: WebhookPlace, changeId: string): Promise<void> => {
    await query(
      `UPDATE _millrace.webhook_cursors SET change_id = $3::bigint, at = now()
       WHERE (project, webhook) = ($1, $2) AND change_id < $3::bigint`,
      [project, webhook, changeId],
    );
  };
  return {
    async next(place, datasets, since, limit) {
      await query(
        `INSERT INTO _millrace.webhook_cursors (project, webhook, change_id) VALUES ($1, $2, $3) ON CONFLICT (project, webhook) DO NOTHING`,
        [place.project, place.webhook, since],
      );
      // The latest is of the same moment as the list: where that is empty, all up to it is done.
      const found = await query<{ latest: string } & { [Name in keyof Change]: Change[Name] | null }>(
        `SELECT latest.id AS latest, c.id, c.project, c.dataset, c.name, c.load_id AS "loadId", c.rows::float8 AS rows, ${moment('c.at')} AS at
         FROM (SELECT coalesce(max(id), 0) AS id FROM _millrace.changes) latest LEFT JOIN (
           SELECT c.* FROM _millrace.changes c JOIN _millrace.webhook_cursors w ON (w.project, w.webhook) = ($4, $5) AND c.id > w.change_id
           WHERE ${matches} ORDER BY c.id LIMIT $1) c ON true ORDER BY c.id`,
        [limit, ...parametersOf(datasets), place.project, place.webhook],
      );
      const changes = found.filter(isChange);
      if (changes.length === 0) await move(place, found[0]?.latest ?? '0');
      return changes.map(({ id, project, dataset, name, loadId, rows, at }) => ({ id, project, dataset, name, loadId, rows, at }));
    },
    taken: move,
    async bury({ project, webhook }, { changeId, body, reason, attempts }) {
      await query(
        `WITH letter AS (INSERT INTO _millrace.dead_letters (project, webhook, change_id, body, reason, attempts)
           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (project, webhook, change_id) DO NOTHING)
         UPDATE _millrace.webhook_cursors SET change_id = $3::bigint, at = now()
         WHERE (project, webhook) = ($1, $2) AND change_id < $3::bigint`,
        [project, webhook, changeId, body, reason, attempts],
      );
    },
    letters: async ({ project, webhook, changeIds, open, limit }) =>
      await query<DeadLetter>(
        `SELECT webhook, change_id AS "changeId", body, reason, attempts, ${moment('at')} AS at, ${moment('replayed_at')} AS "replayedAt"
         FROM _millrace.dead_letters WHERE project = $1 AND ($2::text IS NULL OR webhook = $2) AND ($3::bigint[] IS NULL OR change_id = ANY ($3))
           AND (NOT $4 OR replayed_at IS NULL) ORDER BY change_id, webhook LIMIT $5`,
        [project, webhook ?? null, changeIds ?? null, open, limit],
      ),
    async replayed({ project, webhook }, changeId) {
      await query(
        'UPDATE _millrace.dead_letters SET replayed_at = coalesce(replayed_at, now()) WHERE (project, webhook, change_id) = ($1, $2, $3)',
        [project, webhook, changeId],
      );
    },
    async standing({ project, webhook }, datasets) {
      const [row] = await query<Omit<WebhookStanding, 'webhook'>>(
        `SELECT w.change_id AS "changeId", ${moment('w.at')} AS at,
           (SELECT count(*)::int FROM _millrace.changes c WHERE c.id > w.change_id AND ${matches}) AS waiting,
           (SELECT count(*)::int FROM _millrace.dead_letters d WHERE (d.project, d.webhook) = ($1, $4) AND d.replayed_at IS NULL) AS dead
         FROM _millrace.webhook_cursors w WHERE (w.project, w.webhook) = ($1, $4)`,
        [project, ...parametersOf(datasets), webhook],
      );
      return row === undefined ? undefined : { webhook, ...row };
    },
    [Symbol.asyncDispose]: async () => await session[Symbol.asyncDispose](),
  };
}

/** A line without a change has only the latest. */
const isChange = <Row extends { readonly id: string | null }>(row: Row): row is Row & Change => row.id !== null;
