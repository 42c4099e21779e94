import { DatabaseError } from 'pg';
import { MillraceError } from '../../../schema/errors.ts';
import { translate } from '../session-errors.ts';

interface Asked {
  /** Begins messages: `connection warehouse`. */
  readonly what: string;
  /** What the statement's parameters belong to. */
  readonly subjects: readonly string[];
  /** Milliseconds that it could take. */
  readonly timeout: number;
}

/** States that say that a dataset isn't what it was: undefined table, column, schema, type; one that went away meanwhile. */
const changed: ReadonlySet<string> = new Set(['42P01', '42703', '3F000', '42704', 'XX000']);
/** Undefined and ambiguous operators and functions, and what collations don't do: columns that can't be compared like that. */
const incomparable: ReadonlySet<string> = new Set(['42883', '42725', '42804', '42P22', '0A000']);

/** Limits of a statement: nesting, columns, parameters. */
const tooLarge: ReadonlySet<string> = new Set(['54001', '54011', '54023', '54000']);

/** A failed statement as a `MillraceError`, without values in its message. */
export function readFailed(error: unknown, asked: Asked): unknown {
  return error instanceof DatabaseError ? fromServer(error, error.code ?? '', asked) : translate(error, asked.what);
}

function fromServer(error: DatabaseError, state: string, asked: Asked): unknown {
  if (state === '57014') return tookTooLong(asked);
  if (state === '42P18' || state === '08P01') return unclearClaim(asked);
  if (/^2[12]/.test(state)) return wrongValue(error, state, asked);
  if (changed.has(state))
    return new MillraceError('schema', `${asked.what}: a dataset isn't what it was: ${error.message} (SQLSTATE ${state})`);
  if (incomparable.has(state)) return new MillraceError('rejected', `a column can't be compared, sorted or measured so: ${error.message}`);
  if (tooLarge.has(state)) return new MillraceError('rejected', `the request is too large: ${error.message}`);
  return translate(error, asked.what);
}

function unclearClaim({ what }: Asked): MillraceError {
  const remedy = "write it without quotes, and with a cast where its type isn't clear";
  return new MillraceError('config', `${what}: \${claim:…} in a row rule is a value of its own: ${remedy}`);
}

function tookTooLong({ timeout }: Asked): MillraceError {
  return new MillraceError('rejected', `the statement took longer than ${timeout} ms; ask for less, or filter by columns with an index`);
}

/** The server says which parameter it couldn't read; its message would hold the value. */
function wrongValue(error: DatabaseError, state: string, { what, subjects }: Asked): MillraceError {
  const number = /\$(\d+)/.exec(error.where ?? '')?.[1];
  const subject = number === undefined ? undefined : subjects[Number(number) - 1];
  if (subject !== undefined) return new MillraceError('rejected', `${subject}: the value isn't of its type (SQLSTATE ${state})`);
  if (state === '22021') return new MillraceError('rejected', 'a value has characters that the warehouse does not take (SQLSTATE 22021)');
  if (state === '22003') return new MillraceError('rejected', 'a number of the answer, such as a sum, is beyond its type (SQLSTATE 22003)');
  return new MillraceError('config', `${what}: the dataset's query or a row rule fails on a row (SQLSTATE ${state})`);
}
