import type { ApplicationContext } from '../application.ts';
import { systemClock, type Clock } from './clock.ts';
import { newLimitState, pauseUntil, returnPermits, takePermits, type LimitState } from './limit-state.ts';
import type { LimitStore, StoredToken, TokenStore } from './stores.ts';

function memoryLimits(clock: Pick<Clock, 'now'>): LimitStore {
  const states = new Map<string, LimitState>();
  const stateOf = (credential: string): LimitState => states.get(credential) ?? newLimitState;
  return {
    async take(credential, limits, wanted, lease) {
      const [next, permits] = takePermits(stateOf(credential), limits, wanted, lease, clock.now());
      states.set(credential, next);
      return permits;
    },
    async giveBack(credential, permits) {
      states.set(credential, returnPermits(stateOf(credential), permits));
    },
    async pause(credential, milliseconds) {
      states.set(credential, pauseUntil(stateOf(credential), clock.now() + milliseconds));
    },
  };
}

function memoryTokens(): TokenStore {
  const tokens = new Map<string, StoredToken>();
  const turns = new Map<string, Promise<unknown>>();
  const named = (credential: string, key: Uint8Array): string => `${credential}:${Buffer.from(key).toString('hex')}`;
  return {
    async read(credential, key) {
      return tokens.get(named(credential, key));
    },
    async refresh(credential, key, isFresh, fetch) {
      const name = named(credential, key);
      const turn = (turns.get(name) ?? Promise.resolve()).then(async () => {
        const stored = tokens.get(name);
        if (stored !== undefined && isFresh(stored)) return stored;
        const token = await fetch(stored);
        tokens.set(name, token);
        return token;
      });
      turns.set(
        name,
        turn.catch(() => undefined),
      );
      return await turn;
    },
  };
}

/** Limits and tokens of one process, kept as long as it: for checks, previews and explanations, which may not write books. */
export function memoryStores(clock: Pick<Clock, 'now'> = systemClock): Pick<ApplicationContext, 'limits' | 'tokens'> {
  return { limits: memoryLimits(clock), tokens: memoryTokens() };
}
