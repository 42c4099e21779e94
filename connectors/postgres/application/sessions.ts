import type { Attempt } from '../../connector.ts';
import { connect, type Session } from '../session.ts';
import type { PostgresSettings } from '../settings.ts';

/** Sessions that are used one after the other; each call has one to itself. */
export interface Sessions extends AsyncDisposable {
  /** Runs work in a session, cut when the attempt is aborted. A session whose work failed with anything that `keeps` doesn't accept is closed. */
  use<T>(attempt: Attempt, work: (session: Session) => Promise<T>, keeps?: (error: unknown) => boolean): Promise<T>;
}

interface Held {
  readonly session: Session;
  readonly controller: AbortController;
}

/** Opens sessions as they are needed. */
export function openSessions(settings: PostgresSettings, name: string, more: Readonly<Record<string, string>>): Sessions {
  const idle: Held[] = [];
  const open = async (attempt: Attempt): Promise<Held> => {
    const controller = new AbortController();
    const signal = AbortSignal.any([controller.signal, attempt.signal]);
    const session = await connect(settings, { ...attempt, signal: controller.signal }, { what: `connection ${name}`, settings: more });
    signal.throwIfAborted();
    return { session, controller };
  };
  return {
    async use(attempt, work, keeps = () => false) {
      attempt.signal.throwIfAborted();
      const held = idle.pop() ?? (await open(attempt));
      const abort = (): void => held.controller.abort(attempt.signal.reason);
      attempt.signal.addEventListener('abort', abort, { once: true });
      let isSound = false;
      try {
        const result = await work(held.session);
        isSound = !attempt.signal.aborted;
        return result;
      } catch (error) {
        isSound = !attempt.signal.aborted && keeps(error);
        throw error;
      } finally {
        attempt.signal.removeEventListener('abort', abort);
        if (isSound) idle.push(held);
        else await held.session[Symbol.asyncDispose]();
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(idle.splice(0).map(async ({ session }) => await session[Symbol.asyncDispose]()));
    },
  };
}
