import { MillraceError } from '../../schema/errors.ts';
import type { Operation, Settling } from '../../schema/sync.ts';
import type { Application, ApplicationRequest, Batch, ObjectDescription, Outcome } from '../application.ts';
import type { Attempt } from '../connector.ts';
import type { Account } from './account.ts';

/** What a sync writes to: records, a list, or associations. */
export interface HubspotObject {
  readonly writes: Readonly<Partial<Record<Operation, Settling>>>;
  readonly batchRows: number;
  /** Records are looked up before a request that writes. */
  readonly looksUp: boolean;
  /** Sentences on what can't work, and on what works less well than it could; throws as `describe`. */
  check(attempt: Attempt): Promise<{ readonly problems: readonly string[]; readonly warnings: readonly string[] }>;
  describe(attempt: Attempt): Promise<ObjectDescription>;
  send(batch: Batch, attempt: Attempt): Promise<readonly Outcome[]>;
  readonly find?: NonNullable<Application['find']>;
}

/** Everything that an object of a sync is made from. */
export interface ObjectRequest {
  readonly account: Account;
  readonly request: ApplicationRequest;
}

/** The one field that finds a record. Throws `config`. */
export function matchOf({ account, request }: ObjectRequest): string {
  const [property, ...more] = request.match;
  if (property !== undefined && more.length === 0) return property;
  throw new MillraceError(
    'config',
    `connection ${account.name}: HubSpot finds ${request.object} by one property; match names ${request.match.length}`,
  );
}

export const mayNeed = ({ operations }: ApplicationRequest, ...some: readonly Operation[]): boolean =>
  operations === undefined || some.some((operation) => operations.includes(operation));

/** Looks up within the time that one request may take, so that it is known when the write that follows has ended. */
export async function withinTime<T>(account: Account, attempt: Attempt, lookUp: (attempt: Attempt) => Promise<T>): Promise<T> {
  const time = AbortSignal.timeout(account.client.requestTimeout);
  const signal = AbortSignal.any([attempt.signal, time]);
  try {
    return await lookUp({ ...attempt, signal });
  } catch (error) {
    if (!time.aborted || attempt.signal.aborted) throw error;
    throw new MillraceError('unavailable', `connection ${account.name}: HubSpot did not say in time which records the rows mean`);
  }
}
