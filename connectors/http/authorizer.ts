import { createHash, hkdfSync } from 'node:crypto';
import type { Attempt } from '../connector.ts';
import type { AuthSettings } from './settings.ts';
import type { StoredToken, TokenStore } from './stores.ts';
import { fetchToken, type TokenRequest, type TokenSettings } from './token-request.ts';

/** What makes a request authorized. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

export interface Authorizer {
  credentials(attempt: Attempt): Promise<Credentials>;
  /** After a 401: gets others in place of those; false when there are none to be had. Throws `auth`. */
  renew(refused: Credentials, attempt: Attempt): Promise<boolean>;
}

const bearer = (token: string): Credentials => ({ headers: { authorization: `Bearer ${token}` }, query: {} });

function fixed(auth: Exclude<AuthSettings, TokenSettings> | undefined): Credentials {
  switch (auth?.type) {
    case undefined:
      return { headers: {}, query: {} };
    case 'bearer':
      return bearer(auth.token);
    case 'basic':
      return { headers: { authorization: `Basic ${Buffer.from(`${auth.user}:${auth.password}`).toString('base64')}` }, query: {} };
    case 'api-key': {
      const headers = auth.header === undefined ? {} : { [auth.header.toLowerCase()]: auth.value };
      return { headers, query: auth.query === undefined ? {} : { [auth.query]: auth.value } };
    }
  }
}

/** A name of a credential that doesn't tell it: a digest. */
export function credentialName(parts: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40);
}

function secretOf(settings: TokenSettings): string {
  return settings.type === 'jwt-bearer' ? settings.private_key : `${settings.client_secret}\0${settings.refresh_token ?? ''}`;
}

function nameOf(settings: TokenSettings): string {
  const { token_url, scope } = settings;
  if (settings.type === 'jwt-bearer') return credentialName([token_url, scope, settings.issuer, settings.subject, settings.audience]);
  return credentialName([token_url, scope, settings.grant, settings.client_id, settings.refresh_token]);
}

/** Tokens are kept for all workers, encrypted under a key that only who has the configured secret can make. */
function fetched(request: TokenRequest & { readonly settings: TokenSettings }, store: TokenStore): Authorizer {
  const { settings, clock } = request;
  const credential = nameOf(settings);
  const key = new Uint8Array(hkdfSync('sha256', secretOf(settings), credential, 'millrace tokens', 32));
  let current: StoredToken | undefined;
  const isAlive = (token: StoredToken): boolean => token.expiresAt === undefined || token.expiresAt > clock.now();
  const refresh = async (isFresh: (token: StoredToken) => boolean, attempt: Attempt): Promise<StoredToken> => {
    current = await store.refresh(credential, key, isFresh, async (stored) => await fetchToken(request, stored, attempt));
    return current;
  };
  return {
    async credentials(attempt) {
      if (current !== undefined && isAlive(current)) return bearer(current.accessToken);
      const stored = await store.read(credential, key);
      current = stored !== undefined && isAlive(stored) ? stored : await refresh(isAlive, attempt);
      return bearer(current.accessToken);
    },
    async renew(refused, attempt) {
      const isOther = ({ accessToken }: StoredToken): boolean =>
        bearer(accessToken).headers['authorization'] !== refused.headers['authorization'];
      await refresh((token) => isAlive(token) && isOther(token), attempt);
      return true;
    },
  };
}

/** What authorizes the requests of a connection. */
export function openAuthorizer(auth: AuthSettings | undefined, request: Omit<TokenRequest, 'settings'>, store: TokenStore): Authorizer {
  if (auth?.type === 'oauth2' || auth?.type === 'jwt-bearer') return fetched({ ...request, settings: auth }, store);
  const credentials = fixed(auth);
  return { credentials: async () => credentials, renew: async () => false };
}

/** What tells the limits of one credential from those of another, without its secret where it has a name. */
export function limitedBy(auth: AuthSettings | undefined): readonly (string | undefined)[] {
  switch (auth?.type) {
    case undefined:
      return [];
    case 'bearer':
      return [auth.token];
    case 'basic':
      return [auth.user];
    case 'api-key':
      return [auth.value];
    case 'oauth2':
      return [auth.client_id, auth.refresh_token];
    case 'jwt-bearer':
      return [auth.issuer, auth.subject];
  }
}
