import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import { MillraceError } from '../schema/errors.ts';
import type { PayloadKeys } from './payload-keys.ts';

const wire = proto.temporal.api.common.v1.Payload;
const encrypted = 'binary/encrypted';
const keyIdField = 'encryption-key-id';
const nonceBytes = 12;
const tagBytes = 16;

const isSource = import.meta.url.endsWith('.ts');

/** The module whose failures carry message and stack as a payload, for the bundler, workers and clients of projects with keys. */
export const failureConverterPath = fileURLToPath(new URL(isSource ? './failure-converter.ts' : './failure-converter.js', import.meta.url));

const textOf = (payload: Payload, field: string): string => Buffer.from(payload.metadata?.[field] ?? []).toString();

/** The id of the key that a payload is encrypted with; empty for one in clear. */
export const keyIdOf = (payload: Payload): string => textOf(payload, keyIdField);

/** AES-256-GCM; the key's id is authenticated with the payload, and nonce, tag and ciphertext are its data. */
function encrypt(payload: Payload, { current, byId }: PayloadKeys): Payload {
  const key = byId.get(current);
  if (key === undefined) throw new MillraceError('config', `there is no payload key ${current}`);
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(current));
  const body = Buffer.concat([cipher.update(wire.encode(payload).finish()), cipher.final()]);
  return {
    metadata: { encoding: Buffer.from(encrypted), [keyIdField]: Buffer.from(current) },
    data: Buffer.concat([nonce, cipher.getAuthTag(), body]),
  };
}

function decrypt(payload: Payload, keys: PayloadKeys | undefined): Payload {
  const id = keyIdOf(payload);
  const key = keys?.byId.get(id);
  if (key === undefined) {
    const known = keys === undefined ? 'it is not set' : `it has ${[...keys.byId.keys()].join(', ')}`;
    throw new MillraceError('config', `what Temporal stores is encrypted with key ${id}, which MILLRACE_PAYLOAD_KEYS lacks (${known})`);
  }
  const data = Buffer.from(payload.data ?? []);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, data.subarray(0, nonceBytes), { authTagLength: tagBytes })
      .setAAD(Buffer.from(id))
      .setAuthTag(data.subarray(nonceBytes, nonceBytes + tagBytes));
    return wire.decode(Buffer.concat([decipher.update(data.subarray(nonceBytes + tagBytes)), decipher.final()]));
  } catch (cause) {
    throw new MillraceError(
      'config',
      `what Temporal stores can't be decrypted: key ${id} of MILLRACE_PAYLOAD_KEYS is not the key that it was encrypted with, or it was changed`,
      { cause },
    );
  }
}

/**
 * Encrypts payloads with the current key, and decrypts with any of the keys; payloads in clear are left alone, so that runs of the time
 * before the keys can be read. Without keys it encrypts nothing and refuses, with a sentence, what is encrypted.
 */
export function payloadCodec(keys: PayloadKeys | undefined): PayloadCodec {
  return {
    encode: async (payloads) => (keys === undefined ? payloads : payloads.map((payload) => encrypt(payload, keys))),
    decode: async (payloads) => payloads.map((payload) => (textOf(payload, 'encoding') === encrypted ? decrypt(payload, keys) : payload)),
  };
}

/** How clients and workers of a project write and read payloads and failures; the same for both. */
export function dataConverterOf(keys: PayloadKeys | undefined): DataConverter {
  return { payloadCodecs: [payloadCodec(keys)], ...(keys === undefined ? {} : { failureConverterPath }) };
}
