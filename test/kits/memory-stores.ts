import type { ApplicationContext } from '../../connectors/application.ts';
import type { Limits, LimitStore, Permits, StoredToken, TokenStore } from '../../connectors/http/stores.ts';

interface State {
  under: number;
  starts: number[];
  pausedUntil: number;
}

function grant(state: State, { rate, concurrency = Infinity }: Limits, wanted: number): Permits {
  const now = Date.now();
  if (state.pausedUntil > now) return { granted: 0, wait: state.pausedUntil - now, reason: 'asked to wait' };
  const { requests, per } = rate ?? { requests: Infinity, per: 0 };
  state.starts = state.starts.filter((at) => at > now - per);
  const left = requests - state.starts.length;
  if (left <= 0) return { granted: 0, wait: (state.starts[0] ?? now) + per - now + 1, reason: 'rate' };
  const granted = Math.min(wanted, left, concurrency - state.under);
  if (granted <= 0) return { granted: 0, wait: 10, reason: 'concurrency' };
  state.under += granted;
  for (let no = 0; no < granted; no += 1) state.starts.push(now);
  return { granted, wait: 0, reason: '' };
}

/** Limits in memory: rate in a sliding time, concurrency, and pauses; no daily quota. */
export function memoryLimits(): LimitStore {
  const states = new Map<string, State>();
  const stateOf = (credential: string): State => {
    const state = states.get(credential) ?? { under: 0, starts: [], pausedUntil: 0 };
    states.set(credential, state);
    return state;
  };
  return {
    take: async (credential, limits, wanted) => grant(stateOf(credential), limits, wanted),
    giveBack: async (credential, permits) => {
      const state = stateOf(credential);
      state.under = Math.max(0, state.under - permits);
    },
    pause: async (credential, milliseconds) => {
      const state = stateOf(credential);
      state.pausedUntil = Math.max(state.pausedUntil, Date.now() + milliseconds);
    },
  };
}

/** Tokens in memory, one refresh at a time. */
export function memoryTokens(): TokenStore {
  const tokens = new Map<string, StoredToken>();
  let turn: Promise<unknown> = Promise.resolve();
  return {
    read: async (credential) => tokens.get(credential),
    refresh: (credential, _key, isFresh, fetch) => {
      const refreshed = turn.then(async () => {
        const stored = tokens.get(credential);
        if (stored !== undefined && isFresh(stored)) return stored;
        const token = await fetch(stored);
        tokens.set(credential, token);
        return token;
      });
      turn = refreshed.catch(() => undefined);
      return refreshed;
    },
  };
}

/** What a worker gives to an application, in memory. */
export const memoryContext = (): ApplicationContext => ({ limits: memoryLimits(), tokens: memoryTokens() });
