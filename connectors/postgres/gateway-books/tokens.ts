import type { BookedToken, NewToken } from '../../gateway-books.ts';
import type { Session } from '../session.ts';

interface TokenRow {
  readonly project: string;
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  readonly role: string | null;
  readonly scopes: readonly string[];
  readonly claims: string;
  /** Milliseconds since 1970. */
  readonly expires: number | null;
  readonly created: number;
  readonly revoked: number | null;
}

const milliseconds = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`;

const columns = `project, id, name, hash, role, scopes, claims::text AS claims,
${milliseconds('expires_at')} AS expires, ${milliseconds('created_at')} AS created, ${milliseconds('revoked_at')} AS revoked`;

const dateOf = (value: number | null): Date | undefined => (value === null ? undefined : new Date(value));

const tokenOf = ({ expires, created, revoked, claims, role, ...row }: TokenRow): BookedToken => ({
  ...row,
  role: role ?? undefined,
  claims: JSON.parse(claims) as Readonly<Record<string, unknown>>,
  expiresAt: dateOf(expires),
  createdAt: new Date(created),
  revokedAt: dateOf(revoked),
});

/** May run again: an id is never given twice. */
export async function createToken(session: Session, token: NewToken): Promise<void> {
  const { project, id, name, hash, role, scopes, claims, expiresAt } = token;
  await session.query(
    `INSERT INTO _millrace.api_tokens (project, id, name, hash, role, scopes, claims, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8::timestamptz) ON CONFLICT DO NOTHING`,
    [project, id, name, hash, role ?? null, scopes, JSON.stringify(claims), expiresAt?.toISOString() ?? null],
  );
}

export async function listTokens(session: Session, project: string): Promise<readonly BookedToken[]> {
  const rows = await session.query<TokenRow>(
    `SELECT ${columns} FROM _millrace.api_tokens WHERE project = $1 ORDER BY created_at DESC, id`,
    [project],
  );
  return rows.map(tokenOf);
}

export async function findToken(session: Session, project: string, id: string): Promise<BookedToken | undefined> {
  const [row] = await session.query<TokenRow>(`SELECT ${columns} FROM _millrace.api_tokens WHERE project = $1 AND id = $2`, [project, id]);
  return row === undefined ? undefined : tokenOf(row);
}

export async function revokeToken(session: Session, project: string, id: string): Promise<boolean> {
  const rows = await session.query(
    `UPDATE _millrace.api_tokens SET revoked_at = now()
     WHERE project = $1 AND id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) RETURNING id`,
    [project, id],
  );
  return rows.length > 0;
}
