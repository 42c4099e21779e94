import type { Outcome, OutgoingRow } from '../application.ts';
import { withoutValues } from '../without-values.ts';
import { textOf } from './records.ts';

/** What Salesforce says of a row that it refused. */
export interface RowError {
  readonly code: string;
  readonly message: string;
  readonly fields: readonly string[];
}

/** Milliseconds before a row that was locked is sent again. */
const lockPause = 2_000;

/** Locks and governor limits that other work caused; triggers wrap them into messages of their own. */
const passing = /UNABLE_TO_LOCK_ROW|REQUEST_LIMIT_EXCEEDED|SERVER_UNAVAILABLE|Too many SOQL queries/;

/** The object that an id names isn't there (any more). */
const gone = /^(ENTITY_IS_DELETED|INVALID_CROSS_REFERENCE_KEY)$/;

/** True when an outcome says that the object of the id is gone. */
export const saysGone = (outcome: Outcome): boolean => outcome.status === 'rejected' && gone.test(outcome.code ?? '');

/** A message without the row's own values, where they are long enough to be told apart. */
function withoutValuesOf(message: string, row: OutgoingRow): string {
  const values = [...Object.values(row.fields), ...Object.values(row.match)]
    .filter((value) => typeof value !== 'boolean')
    .map(textOf)
    .filter((text) => text.length > 3);
  return withoutValues(message, values);
}

/** The outcome of a row that was refused. */
export function refusedRow(error: RowError, row: OutgoingRow, requestId?: string): Outcome {
  const id = requestId === undefined ? {} : { requestId };
  const message = withoutValuesOf(error.message, row);
  const isPassing = passing.test(`${error.code} ${error.message}`);
  if (isPassing) return { status: 'again', reason: `${error.code}: ${message}`, after: lockPause, ...id };
  const fields = error.fields.length === 0 ? '' : ` (${error.fields.join(', ')})`;
  return { status: 'rejected', reason: `${error.code}: ${message}${fields}`, code: error.code, ...id };
}
