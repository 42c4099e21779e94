import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { MillraceError } from '../../schema/errors.ts';
import type { StoredToken, TokenStore } from '../http/stores.ts';
import { KeptSession, openBooks } from './kept-session.ts';
import type { Session } from './session.ts';
import type { PostgresSettings } from './settings.ts';

const algorithm = 'aes-256-gcm';

/** Nonce, tag and ciphertext; the credential's name is authenticated too, so that rows can't be exchanged. */
function seal(token: StoredToken, credential: string, key: Uint8Array): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv(algorithm, key, nonce).setAAD(Buffer.from(credential));
  const text = Buffer.concat([cipher.update(JSON.stringify(token), 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), text]);
}

/** Undefined when the key doesn't open it: the configured secret was changed since. */
function unseal(sealed: Buffer, credential: string, key: Uint8Array): StoredToken | undefined {
  try {
    const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, 12), { authTagLength: 16 });
    decipher.setAAD(Buffer.from(credential)).setAuthTag(sealed.subarray(12, 28));
    return JSON.parse(decipher.update(sealed.subarray(28), undefined, 'utf8') + decipher.final('utf8')) as StoredToken;
  } catch {
    return undefined;
  }
}

const text = 'SELECT sealed FROM _millrace.tokens WHERE credential = $1';

async function find(session: Session, credential: string, key: Uint8Array, lock: '' | ' FOR UPDATE'): Promise<StoredToken | undefined> {
  const [row] = await session.query<{ sealed: string | null }>(`${text}${lock}`, [credential]);
  const sealed = row?.sealed ?? null;
  return sealed === null ? undefined : unseal(Buffer.from(sealed.slice(2), 'hex'), credential, key);
}

async function keep(session: Session, credential: string, sealed: Buffer): Promise<void> {
  await session.query(
    `INSERT INTO _millrace.tokens (credential, sealed) VALUES ($1, $2)
     ON CONFLICT (credential) DO UPDATE SET sealed = excluded.sealed, at = now()`,
    [credential, sealed],
  );
}

/** Longer than a token can take to be fetched. */
const patience = { lock_timeout: '150s', idle_in_transaction_session_timeout: '150s', synchronous_commit: 'on' };

/** Tokens in the books (`_millrace.tokens`), shared by all workers, encrypted at rest by AES-256-GCM. */
export function postgresTokenStore(settings: PostgresSettings, name: string): TokenStore & AsyncDisposable {
  const what = `connection ${name}, tokens of applications`;
  const kept = new KeptSession(settings, what);
  const open = async (): Promise<Session> => await openBooks(settings, what, new AbortController().signal, patience);

  /** A token that replaced the one before it is lost for good if it isn't kept: a broken connection is no reason. */
  const keepSurely = async (credential: string, sealed: Buffer): Promise<void> => {
    for (let no = 1; ; no++) {
      try {
        await using session = await open();
        return await keep(session, credential, sealed);
      } catch (error) {
        if (no < 5 && error instanceof MillraceError && error.code === 'unavailable') continue;
        throw error;
      }
    }
  };

  return {
    async read(credential, key) {
      return await kept.run(async (session) => await find(session, credential, key, ''));
    },
    async refresh(credential, key, isFresh, fetch) {
      await using session = await open();
      await session.query('BEGIN');
      // The row is the turn: others wait for it until this one has committed.
      await session.query('INSERT INTO _millrace.tokens (credential) VALUES ($1) ON CONFLICT DO NOTHING', [credential]);
      const stored = await find(session, credential, key, ' FOR UPDATE');
      if (stored !== undefined && isFresh(stored)) return stored;
      const token = await fetch(stored);
      const sealed = seal(token, credential, key);
      try {
        await keep(session, credential, sealed);
        await session.query('COMMIT');
      } catch {
        session.destroy();
        await keepSurely(credential, sealed);
      }
      return token;
    },
    [Symbol.asyncDispose]: async () => await kept[Symbol.asyncDispose](),
  };
}
