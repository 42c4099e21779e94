import pg from 'pg';
import { MillraceError } from '../../../schema/errors.ts';

/** A model's SQL as it can stand in parentheses: without the semicolon at its end, and with a line break after a last comment. */
export function bareQuery(sql: string): string {
  return `${sql.trim().replace(/;\s*$/, '')}\n`;
}

/** A mistake in a query with the database's own words on it, behind `what` (`model sales`); other failures as they are. */
export function queryFailed(error: unknown, what: string): unknown {
  if (!(error instanceof pg.DatabaseError) || !/^(42|22|21|0A|25006|P0)/.test(error.code ?? '') || error.code === '42501') return error;
  const hint = error.hint === undefined ? '' : ` (${error.hint})`;
  const words = /^(22|P0)/.test(error.code ?? '') ? `a value can't be computed (SQLSTATE ${error.code})` : `${error.message}${hint}`;
  return new MillraceError('config', `${what}: the query doesn't work: ${words}`, { cause: error });
}
