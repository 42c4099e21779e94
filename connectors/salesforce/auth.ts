import type { AuthSettings } from '../http/settings.ts';
import type { SalesforceSettings } from './settings.ts';

/** Whom an assertion is for: https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm */
function audienceOf({ url, login_url: login }: SalesforceSettings): string {
  if (login !== undefined) return new URL(login).origin;
  return new URL(url).hostname.includes('.sandbox.') ? 'https://test.salesforce.com' : 'https://login.salesforce.com';
}

/** How the client gets its tokens. An org's own address gives them too, and for client credentials it alone does. */
export function authOf(settings: SalesforceSettings): AuthSettings {
  const { auth } = settings;
  const token_url = `${new URL(settings.login_url ?? settings.url).origin}/services/oauth2/token`;
  switch (auth.type) {
    case 'client-credentials':
      return { type: 'oauth2', grant: 'client_credentials', token_url, client_id: auth.client_id, client_secret: auth.client_secret };
    case 'refresh-token': {
      const { client_id, client_secret, refresh_token } = auth;
      return { type: 'oauth2', grant: 'refresh_token', token_url, client_id, client_secret, refresh_token };
    }
    case 'jwt-bearer': {
      const { client_id: issuer, user: subject, private_key } = auth;
      return { type: 'jwt-bearer', token_url, issuer, subject, audience: audienceOf(settings), private_key, algorithm: 'RS256' };
    }
  }
}
