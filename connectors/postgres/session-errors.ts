import { DatabaseError } from 'pg';
import type { ErrorCode } from '../../schema/errors.ts';
import { MillraceError } from '../../schema/errors.ts';

/** SQLSTATE, or its first characters, to code; the longest match counts. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const codes: Readonly<Record<string, ErrorCode>> = {
  '08': 'unavailable',
  '0A': 'config',
  '22': 'schema',
  '23': 'schema',
  '25': 'config',
  '28': 'auth',
  '2B': 'schema',
  '3D': 'not-found',
  '3F': 'not-found',
  '40': 'unavailable',
  '42': 'schema',
  '42P01': 'not-found',
  '42501': 'auth',
  '53': 'unavailable',
  '54': 'schema',
  '55': 'unavailable',
  '55000': 'config',
  '57': 'unavailable',
  '58': 'unavailable',
};

/** Classes whose messages name objects and settings, never values of rows. */
const plainClasses: ReadonlySet<string> = new Set(['08', '0A', '25', '28', '2B', '3D', '3F', '40', '42', '53', '54', '55', '57', '58']);

const systemErrors: Readonly<Record<string, ErrorCode>> = {
  ECONNREFUSED: 'unavailable',
  ECONNRESET: 'unavailable',
  ECONNABORTED: 'unavailable',
  EPIPE: 'unavailable',
  ETIMEDOUT: 'unavailable',
  ENOTFOUND: 'unavailable',
  EAI_AGAIN: 'unavailable',
  EHOSTUNREACH: 'unavailable',
  ENETUNREACH: 'unavailable',
  ENOENT: 'unavailable',
  ERR_STREAM_PREMATURE_CLOSE: 'unavailable',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'config',
  SELF_SIGNED_CERT_IN_CHAIN: 'config',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'config',
  CERT_HAS_EXPIRED: 'config',
  ERR_TLS_CERT_ALTNAME_INVALID: 'config',
  ERR_INVALID_URL: 'config',
};

/** The driver's message would name the host, which is a piece of the password where that was cut in two. */
const unknownHost = 'the host of its url is not known; in a password the characters @ : / # ? % must be percent-encoded (@ as %40)';

/** The driver's own errors, which have a message only. */
const driverMessages: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/Connection terminated|timeout expired|timeout exceeded|not queryable|was closed/, 'unavailable', 'the connection ended'],
  [/password must be a (non-empty )?string/, 'auth', 'the server asks for a password and none is given'],
  [/does not support SSL/, 'config', 'the server does not speak SSL; set sslmode=disable or enable SSL there'],
];

/**
 * A failure of the driver or the server as a `MillraceError`, by SQLSTATE. Its message begins with `what` (`reading sales.orders`) and
 * leaves out the server's detail, and its message too where that can hold values of rows. Errors that are neither come back as they are.
 */
export function translate(error: unknown, what: string): unknown {
  if (error instanceof MillraceError) return error;
  if (error instanceof DatabaseError) return fromServer(error, what);
  return fromDriver(error, what);
}

function fromServer(error: DatabaseError, what: string): MillraceError {
  const state = error.code ?? 'XX000';
  const code = codes[state] ?? codes[state.slice(0, 2)] ?? 'unavailable';
  return new MillraceError(code, `${what}: ${describeServerError(error, state)} (SQLSTATE ${state})`);
}

function describeServerError(error: DatabaseError, state: string): string {
  if (plainClasses.has(state.slice(0, 2))) return error.message;
  const places = [
    error.table === undefined ? '' : ` table ${error.table}`,
    error.column === undefined ? '' : ` column ${error.column}`,
    error.constraint === undefined ? '' : ` constraint ${error.constraint}`,
  ].join('');
  return `the server refused a value or an operation${places === '' ? '' : ` at${places}`}`;
}

function fromDriver(error: unknown, what: string): unknown {
  if (!(error instanceof Error)) return error;
  const system = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const code = system === undefined ? undefined : systemErrors[system];
  if (system === 'ENOTFOUND' || system === 'EAI_AGAIN') return new MillraceError('unavailable', `${what}: ${unknownHost} (${system})`);
  if (code !== undefined) return new MillraceError(code, `${what}: ${error.message === '' ? system : error.message}`);
  const known = driverMessages.find(([pattern]) => pattern.test(error.message));
  return known === undefined ? error : new MillraceError(known[1], `${what}: ${known[2]}`);
}
