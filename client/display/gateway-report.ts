import type { BookedAudit, BookedToken } from '../../connectors/gateway-books.ts';
import { table, type TableColumn } from './table.ts';
import { fromNow, moment } from './text.ts';

const tokenColumns: readonly TableColumn[] = ['id', 'name', 'role', 'scopes', 'claims', 'made', 'state'].map((title) => ({ title }));

/** `live`, `expired`, `revoked` */
export function stateOf({ revokedAt, expiresAt }: Pick<BookedToken, 'revokedAt' | 'expiresAt'>, now: Date): 'live' | 'expired' | 'revoked' {
  if (revokedAt !== undefined) return 'revoked';
  return expiresAt !== undefined && expiresAt <= now ? 'expired' : 'live';
}

function stateText(token: BookedToken, now: Date): string {
  const state = stateOf(token, now);
  const { revokedAt, expiresAt } = token;
  if (state === 'live') return expiresAt === undefined ? 'live' : `live, expires ${fromNow(expiresAt, now.getTime())}`;
  return `${state} ${fromNow(revokedAt ?? expiresAt ?? now, now.getTime())}`;
}

const claimText = ([name, value]: [string, unknown]): string => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`;

/** Tokens with what they allow. */
export function tokensTable(tokens: readonly BookedToken[], now: Date): readonly string[] {
  return table(
    tokenColumns,
    tokens.map((token) => [
      token.id,
      token.name,
      token.role ?? '',
      token.scopes.join(' '),
      Object.entries(token.claims).map(claimText).join(' '),
      moment(token.createdAt),
      stateText(token, now),
    ]),
  );
}

const auditColumns: readonly TableColumn[] = [
  { title: 'no', right: true },
  ...['at', 'actor', 'action', 'target', 'result', 'details'].map((title) => ({ title })),
];

/** Lines of the audit log. */
export function auditTable(entries: readonly BookedAudit[]): readonly string[] {
  return table(
    auditColumns,
    entries.map(({ no, at, actor, action, target, result, details }) => [
      no,
      moment(at),
      actor,
      action,
      target,
      result,
      Object.entries(details).map(claimText).join(' '),
    ]),
  );
}
