/**
 * What a failure asks of whoever meets it.
 *
 * - `config` the project file or a setting is wrong; never retried.
 * - `auth` credentials are missing or refused; never retried.
 * - `not-found` a named connection, stream, column, file or table does not exist; never retried.
 * - `schema` the contract of a stream forbids what was found; never retried.
 * - `rejected` rows were refused beyond the threshold, or a row was refused under `on_failure: fail`; never retried.
 * - `rate-limited` the other side asked to wait; retried after `retryAfter`.
 * - `unavailable` the other side can't be reached or answered with a passing fault; retried.
 * - `unknown` a request may or may not have had its effect; retried once that is settled.
 * - `fenced` another load of the same stream took over; the workflow plans again.
 * - `conflict` the stream's state moved since the plan; the workflow plans again.
 * - `staging-lost` staged bytes are missing or damaged, or a load table lost rows; the workflow loads again.
 */
export type ErrorCode =
  | 'config'
  | 'auth'
  | 'not-found'
  | 'schema'
  | 'rejected'
  | 'rate-limited'
  | 'unavailable'
  | 'unknown'
  | 'fenced'
  | 'conflict'
  | 'staging-lost';

/** Codes that another attempt of the same step may cure. */
export const retryableCodes: ReadonlySet<ErrorCode> = new Set(['rate-limited', 'unavailable', 'unknown']);

export interface ErrorOptions {
  readonly cause?: unknown;
  /** Milliseconds to wait before the next attempt. */
  readonly retryAfter?: number;
}

/** The one error class. The message says what failed, where, and what to do; it holds no secret and no value of a row. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError';
  readonly code: ErrorCode;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfter = options.retryAfter;
  }
}
