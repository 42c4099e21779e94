import { readFile } from 'node:fs/promises';
import { MillraceError } from '../schema/errors.ts';

/** The keys that payloads are encrypted with before they reach a Temporal server. */
export interface PayloadKeys {
  /** Id of the key that encrypts; the others only decrypt. */
  readonly current: string;
  /** Keys of 32 bytes by id. */
  readonly byId: ReadonlyMap<string, Buffer>;
}

const keyBytes = 32;
const make = `make one with: node -p "require('crypto').randomBytes(32).toString('base64')"`;

function keyOf(entry: string, place: string, position: number): readonly [string, Buffer] {
  const [, id, text = ''] = /^([A-Za-z0-9_.-]{1,64}):(.*)$/s.exec(entry) ?? [];
  if (id === undefined) {
    throw new MillraceError(
      'config',
      `${place}: entry ${position} must be id:key, with an id of letters, digits, "_", "." and "-"; ${make}`,
    );
  }
  const key = Buffer.from(text, 'base64');
  const isBase64 = key.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '');
  if (!isBase64 || key.length !== keyBytes) {
    const found = isBase64 ? `it has ${key.length} bytes` : "it isn't base64";
    throw new MillraceError('config', `${place}: key ${id} must be ${keyBytes} bytes in base64, and ${found}; ${make}`);
  }
  return [id, key];
}

function parseKeys(text: string, place: string): PayloadKeys {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  const byId = new Map<string, Buffer>();
  for (const [index, entry] of entries.entries()) {
    const [id, key] = keyOf(entry, place, index + 1);
    if (byId.has(id)) throw new MillraceError('config', `${place}: the id ${id} is there twice`);
    byId.set(id, key);
  }
  const [current] = byId.keys();
  if (current === undefined) throw new MillraceError('config', `${place} has no key; ${make}`);
  return { current, byId };
}

/**
 * The keys of `MILLRACE_PAYLOAD_KEYS` (`id:base64[,id:base64…]`, the first encrypts) or of the file that `MILLRACE_PAYLOAD_KEYS_FILE`
 * names; undefined where neither is set: payloads stay in clear then. Throws `config` saying what is wrong, without a key in it.
 */
export async function readPayloadKeys(environment: Readonly<Record<string, string | undefined>>): Promise<PayloadKeys | undefined> {
  const text = environment['MILLRACE_PAYLOAD_KEYS'] ?? '';
  const path = environment['MILLRACE_PAYLOAD_KEYS_FILE'] ?? '';
  if (text !== '' && path !== '') {
    throw new MillraceError('config', 'MILLRACE_PAYLOAD_KEYS and MILLRACE_PAYLOAD_KEYS_FILE are both set: keep one of them');
  }
  if (text !== '') return parseKeys(text, 'MILLRACE_PAYLOAD_KEYS');
  if (path === '') return undefined;
  try {
    return parseKeys(await readFile(path, 'utf8'), `MILLRACE_PAYLOAD_KEYS_FILE (${path})`);
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw new MillraceError('config', `MILLRACE_PAYLOAD_KEYS_FILE: ${path} can't be read`, { cause });
  }
}
