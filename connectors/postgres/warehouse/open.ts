import type { Load } from '../../../schema/load.ts';
import type { Attempt } from '../../connector.ts';
import { connect, type Session } from '../session.ts';
import type { PostgresSettings } from '../settings.ts';
import { place } from './names.ts';
import type { LockPolicy } from './transaction.ts';

/** What every step of a load in this warehouse needs. */
export interface WarehouseContext {
  readonly settings: PostgresSettings;
  /** The connection's name, for messages. */
  readonly name: string;
  readonly locks: LockPolicy;
}

/** A session that writes for a load; one that hangs in a transaction is ended by the server after a minute. */
export async function openSession(context: WarehouseContext, attempt: Attempt, load?: Load): Promise<Session> {
  const what = load === undefined ? `connection ${context.name}` : `connection ${context.name}, ${place(load)}`;
  return await connect(context.settings, attempt, { what, settings: { idle_in_transaction_session_timeout: '60s' } });
}
