import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';
import type { Attempt } from '../connector.ts';
import { signAssertion } from './assertion.ts';
import type { Clock } from './clock.ts';
import type { Exchange } from './exchange.ts';
import type { AuthSettings } from './settings.ts';
import type { IncomingAnswer, StoredToken } from './stores.ts';
import { waitOf } from './wait.ts';

/** Auth whose tokens are fetched. */
export type TokenSettings = Extract<AuthSettings, { type: 'oauth2' | 'jwt-bearer' }>;

export interface TokenRequest {
  readonly name: string;
  readonly settings: TokenSettings;
  readonly exchange: Exchange;
  readonly timeout: number;
  readonly clock: Clock;
}

const tries = 3;

/** https://www.rfc-editor.org/rfc/rfc6749#section-5.1 */
const tokenAnswer = z.object({
  access_token: z.string().min(1),
  expires_in: z.coerce.number().positive().optional(),
  refresh_token: z.string().min(1).optional(),
});
const refusal = z.object({ error: z.string().regex(/^[a-z_]{1,40}$/) });

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

function formOf({ name, settings, clock }: TokenRequest, refreshToken: string | undefined): Record<string, string> {
  if (settings.type === 'jwt-bearer') {
    return { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: signAssertion(settings, name, clock.now()) };
  }
  const { grant, scope, client_id, client_secret } = settings;
  return {
    grant_type: grant,
    ...(grant === 'refresh_token' && refreshToken !== undefined ? { refresh_token: refreshToken } : {}),
    ...(scope === undefined ? {} : { scope }),
    ...(settings.send_secret_in === 'header' ? {} : { client_id, client_secret }),
  };
}

/** https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1 */
function authorization(settings: TokenSettings): Record<string, string> {
  if (settings.type !== 'oauth2' || settings.send_secret_in !== 'header') return {};
  const pair = `${encodeURIComponent(settings.client_id)}:${encodeURIComponent(settings.client_secret)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** What to do about a refusal of the authorization server. */
function remedyOf(settings: TokenSettings, error: string | undefined): string {
  if (error === 'invalid_grant' && settings.type === 'oauth2' && settings.grant === 'refresh_token') {
    return 'the refresh token was revoked, or used up by a request whose answer was lost: authorize the application again and set auth.refresh_token to the new one';
  }
  if (error === 'invalid_grant')
    return 'check subject, audience and key in auth, the clock of this machine, and that the user approved the application';
  return 'check the client and its secret or key, and the scope, in auth';
}

function failure({ name, settings, clock }: TokenRequest, answer: IncomingAnswer): MillraceError {
  const what = `connection ${name}: the authorization server`;
  const { status, headers } = answer;
  if (status === 429)
    return new MillraceError('rate-limited', `${what} asks to wait`, { retryAfter: waitOf(headers, clock.now()) ?? 30_000 });
  if (status >= 500 || status === 408) return new MillraceError('unavailable', `${what} answered HTTP ${status}`);
  if (status >= 300 && status < 400) return new MillraceError('config', `${what} redirects: give its final address as auth.token_url`);
  const error = refusal.safeParse(parsed(answer.body)).data?.error;
  return new MillraceError(
    'auth',
    `${what} refuses (HTTP ${status}${error === undefined ? '' : `, ${error}`}); ${remedyOf(settings, error)}`,
  );
}

function tokenOf(request: TokenRequest, answer: IncomingAnswer, refreshToken: string | undefined): StoredToken {
  if (answer.status < 200 || answer.status > 299) throw failure(request, answer);
  const token = tokenAnswer.safeParse(parsed(answer.body)).data;
  if (token === undefined) {
    throw new MillraceError(
      'unavailable',
      `connection ${request.name}: the authorization server's answer holds no token; check auth.token_url`,
    );
  }
  const next = token.refresh_token ?? refreshToken;
  // It is renewed before it ends: a minute, or a tenth of a short life.
  const life = token.expires_in === undefined ? undefined : token.expires_in * 1000;
  const expiresAt = life === undefined ? undefined : request.clock.now() + life - Math.min(60_000, life / 10);
  return {
    accessToken: token.access_token,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(next === undefined ? {} : { refreshToken: next }),
  };
}

async function fetchOnce(request: TokenRequest, refreshToken: string | undefined, attempt: Attempt): Promise<StoredToken> {
  const { name, settings, exchange, timeout } = request;
  const outgoing = {
    method: 'POST',
    url: settings.token_url,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json', ...authorization(settings) },
    body: new URLSearchParams(formOf(request, refreshToken)).toString(),
  };
  if (!URL.canParse(settings.token_url)) throw new MillraceError('config', `connection ${name}: auth.token_url is not a url`);
  const answer = await exchange.send(outgoing, { what: `connection ${name}: the authorization server`, signal: attempt.signal, timeout });
  return tokenOf(request, answer, refreshToken);
}

/**
 * Fetches a token, a few times over passing faults. A lost answer to a refresh is asked for again with the same refresh token: servers that
 * rotate them give the same or another within a grace, or refuse, which only a person can mend. Throws `auth`, `unavailable`, `rate-limited`.
 */
export async function fetchToken(request: TokenRequest, stored: StoredToken | undefined, attempt: Attempt): Promise<StoredToken> {
  const { settings, clock } = request;
  const configured = settings.type === 'oauth2' ? settings.refresh_token : undefined;
  for (let no = 1; ; no++) {
    try {
      return await fetchOnce(request, stored?.refreshToken ?? configured, attempt);
    } catch (error) {
      const passing = error instanceof MillraceError && (error.code === 'unavailable' || error.code === 'unknown');
      if (!passing) throw error;
      if (no >= tries) throw new MillraceError('unavailable', error.message);
      await clock.sleep(500 * no * (0.5 + Math.random()), attempt.signal);
    }
  }
}
