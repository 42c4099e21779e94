import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { StagingKeys } from './keys.ts';

/**
 * A sealed file: `MRS1`, the length of the key's id, the id, a salt; then frames of 64 KiB of plaintext, each encrypted by AES-256-GCM with
 * its tag behind it. The file's key is derived from the salt, a nonce is the number of the frame and whether it is the last: frames
 * can't be exchanged, repeated or cut off (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption, 2015, STREAM).
 */
const magic = Buffer.from('MRS1');
const saltBytes = 16;
const tagBytes = 16;
const frameBytes = 64 * 1024;
const algorithm = 'aes-256-gcm';

/** What is wrong with a sealed file; whoever reads it says which file it is. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken';
}

interface Header {
  readonly bytes: Buffer;
  readonly keyId: string;
  readonly salt: Buffer;
}

/** Bytes of a sealed file with this much plaintext. */
export function sealedSize(bytes: number, keyId: string): number {
  const frames = Math.max(1, Math.ceil(bytes / frameBytes));
  return magic.length + 1 + Buffer.byteLength(keyId) + saltBytes + bytes + frames * tagBytes;
}

/** The most bytes that a header has. */
export const maxHeaderBytes = magic.length + 1 + 255 + saltBytes;

/** The header that a sealed file begins with; undefined when the bytes begin no sealed file. */
export function readHeader(bytes: Buffer): Header | undefined {
  if (bytes.length < magic.length + 1 || !bytes.subarray(0, magic.length).equals(magic)) return undefined;
  const idEnd = magic.length + 1 + (bytes[magic.length] ?? 0);
  const end = idEnd + saltBytes;
  if (bytes.length < end) return undefined;
  return {
    bytes: bytes.subarray(0, end),
    keyId: bytes.toString('utf8', magic.length + 1, idEnd),
    salt: bytes.subarray(idEnd, end),
  };
}

function makeHeader(keyId: string): Header {
  const id = Buffer.from(keyId);
  const salt = randomBytes(saltBytes);
  return { bytes: Buffer.concat([magic, Buffer.from([id.length]), id, salt]), keyId, salt };
}

function keyOf(header: Header, keys: StagingKeys): Buffer {
  const key = keys.byId.get(header.keyId);
  if (key === undefined) throw new SealBroken(`it is encrypted with the key ${header.keyId}, which MILLRACE_STAGING_KEYS doesn't have`);
  return Buffer.from(hkdfSync('sha256', key, header.salt, 'millrace staging', 32));
}

function nonceOf(frame: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(frame, 7);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

/** Cuts bytes into frames of one length, but for the last; says of each whether it is the last. */
async function* framed(bytes: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<readonly [Buffer, boolean]> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes) {
    held = held.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.concat([held, chunk]);
    // A frame that the bytes may end with is held back, for it may be the last.
    while (held.length > length) {
      yield [held.subarray(0, length), false];
      held = held.subarray(length);
    }
  }
  yield [held, true];
}

/** Encrypts a stream of bytes with the current key. */
export async function* seal(bytes: AsyncIterable<Uint8Array>, keys: StagingKeys): AsyncGenerator<Uint8Array> {
  const header = makeHeader(keys.current);
  const key = keyOf(header, keys);
  yield header.bytes;
  let no = 0;
  for await (const [frame, isLast] of framed(bytes, frameBytes)) {
    const cipher = createCipheriv(algorithm, key, nonceOf(no, isLast)).setAAD(header.bytes);
    yield Buffer.concat([cipher.update(frame), cipher.final(), cipher.getAuthTag()]);
    no += 1;
  }
}

/** Decrypts what follows a header. Throws `SealBroken` before a changed, moved or missing frame is handed on. */
export async function* unseal(header: Header, rest: AsyncIterable<Uint8Array>, keys: StagingKeys): AsyncGenerator<Uint8Array> {
  const key = keyOf(header, keys);
  let no = 0;
  for await (const [frame, isLast] of framed(rest, frameBytes + tagBytes)) {
    yield open(frame, createDecipheriv(algorithm, key, nonceOf(no, isLast), { authTagLength: tagBytes }).setAAD(header.bytes));
    no += 1;
  }
}

function open(frame: Buffer, decipher: ReturnType<typeof createDecipheriv> & { setAuthTag(tag: Buffer): unknown }): Buffer {
  try {
    decipher.setAuthTag(frame.subarray(-tagBytes));
    return Buffer.concat([decipher.update(frame.subarray(0, -tagBytes)), decipher.final()]);
  } catch (cause) {
    throw new SealBroken("it was changed, or isn't of its key", { cause });
  }
}
