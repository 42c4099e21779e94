import { readFile } from 'node:fs/promises';
import { MillraceError } from '../schema/errors.ts';

/** Keys that encrypt what is stored: payloads in a Temporal server, staged files. */
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

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The keys of a variable (`id:base64[,id:base64…]`, the first encrypts) or of the file that the variable with `_FILE` names; undefined
 * where neither is set. Throws `config` saying what is wrong, without a key in it.
 */
async function readKeys(environment: Environment, name: string): Promise<PayloadKeys | undefined> {
  const text = environment[name] ?? '';
  const path = environment[`${name}_FILE`] ?? '';
  if (text !== '' && path !== '') throw new MillraceError('config', `${name} and ${name}_FILE are both set: keep one of them`);
  if (text !== '') return parseKeys(text, name);
  if (path === '') return undefined;
  try {
    return parseKeys(await readFile(path, 'utf8'), `${name}_FILE (${path})`);
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw new MillraceError('config', `${name}_FILE: ${path} can't be read`, { cause });
  }
}

/** The keys of `MILLRACE_PAYLOAD_KEYS`, for what Temporal stores; without them payloads stay in clear. */
export const readPayloadKeys = async (environment: Environment): Promise<PayloadKeys | undefined> =>
  await readKeys(environment, 'MILLRACE_PAYLOAD_KEYS');

/** The keys of `MILLRACE_STAGING_KEYS`, for staged files; without them they stay in clear. */
export const readStagingKeys = async (environment: Environment): Promise<PayloadKeys | undefined> =>
  await readKeys(environment, 'MILLRACE_STAGING_KEYS');
