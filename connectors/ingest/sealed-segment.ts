import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** The keys that segments are encrypted with: those of staging. */
export interface SegmentKeys {
  /** Id of the key that encrypts; the others only decrypt. */
  readonly current: string;
  /** Keys of 32 bytes by id. */
  readonly byId: ReadonlyMap<string, Uint8Array>;
}

/**
 * A sealed segment: `MRE1`, the length of the key's id, the id, a salt; then a frame for each write: its length, a nonce, the lines
 * encrypted by AES-256-GCM, the tag. The segment's key is derived from the salt; a frame is bound to the header, its number and whether it
 * is the last, which is empty: frames can't be exchanged, repeated or cut off, and a write that was torn is found. What is behind
 * the last frame doesn't count.
 */
const magic = Buffer.from('MRE1');
const [saltBytes, lengthBytes, nonceBytes, tagBytes] = [16, 4, 12, 16];
const algorithm = 'aes-256-gcm';

/** What is wrong with a sealed segment; whoever reads it says which file it is. */
export class SegmentBroken extends Error {
  override readonly name = 'SegmentBroken';
  /** The key that would be needed. */
  readonly keyId: string | undefined;

  constructor(message: string, keyId?: string) {
    super(message);
    this.keyId = keyId;
  }
}

/** Encrypts what is written to one segment, and decrypts it. */
export class SegmentSeal {
  /** What the segment begins with. */
  readonly header: Buffer;
  readonly #key: Buffer;

  private constructor(header: Buffer, key: Buffer) {
    this.header = header;
    this.#key = key;
  }

  /** For a new segment, with the current key. */
  static make(keys: SegmentKeys): SegmentSeal {
    const id = Buffer.from(keys.current);
    return SegmentSeal.#of(Buffer.concat([magic, Buffer.from([id.length]), id, randomBytes(saltBytes)]), keys);
  }

  /** For the segment that these bytes begin; undefined where they begin none that is sealed. Throws `SegmentBroken` where its key is missing. */
  static read(bytes: Buffer, keys: SegmentKeys | undefined): SegmentSeal | undefined {
    if (bytes.length <= magic.length || !bytes.subarray(0, magic.length).equals(magic)) return undefined;
    const end = magic.length + 1 + (bytes[magic.length] ?? 0) + saltBytes;
    return bytes.length < end ? undefined : SegmentSeal.#of(Buffer.from(bytes.subarray(0, end)), keys);
  }

  static #of(header: Buffer, keys: SegmentKeys | undefined): SegmentSeal {
    const id = header.toString('utf8', magic.length + 1, header.length - saltBytes);
    const key = keys?.byId.get(id);
    if (key === undefined)
      throw new SegmentBroken(`is encrypted with the key ${id}: put that key into MILLRACE_STAGING_KEYS of this process`, id);
    const salt = header.subarray(header.length - saltBytes);
    return new SegmentSeal(header, Buffer.from(hkdfSync('sha256', key, salt, 'millrace ingest', 32)));
  }

  /** The frame of this number. */
  frame(no: number, bytes: Uint8Array): Buffer {
    return this.#frame(no, bytes, false);
  }

  /** The frame behind all others. */
  end(no: number): Buffer {
    return this.#frame(no, new Uint8Array(), true);
  }

  #frame(no: number, bytes: Uint8Array, isLast: boolean): Buffer {
    // A frame that couldn't be written is written anew under its number: a nonce must not come again.
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.#key, nonce).setAAD(this.#bound(no, isLast));
    const sealed = Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt32BE(sealed.length);
    return Buffer.concat([length, sealed]);
  }

  /** The frames of a whole segment, up to where they end or are no longer as they were written. */
  *frames(segment: Buffer): Generator<SegmentFrame> {
    let start = this.header.length;
    for (let no = 0; start + lengthBytes <= segment.length; no += 1) {
      const end = start + lengthBytes + segment.readUInt32BE(start);
      const sealed = segment.subarray(start + lengthBytes, end);
      if (end > segment.length || sealed.length < nonceBytes + tagBytes) return;
      const isLast = sealed.length === nonceBytes + tagBytes;
      const bytes = this.#open(no, sealed, isLast);
      if (bytes === undefined) return;
      yield { bytes, end, isLast };
      if (isLast) return;
      start = end;
    }
  }

  #open(no: number, sealed: Buffer, isLast: boolean): Buffer | undefined {
    const decipher = createDecipheriv(algorithm, this.#key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes });
    decipher.setAAD(this.#bound(no, isLast)).setAuthTag(sealed.subarray(-tagBytes));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]);
    } catch {
      return undefined;
    }
  }

  #bound(no: number, isLast: boolean): Buffer {
    const place = Buffer.alloc(5);
    place.writeUInt32BE(no);
    place[4] = isLast ? 1 : 0;
    return Buffer.concat([this.header, place]);
  }
}

export interface SegmentFrame {
  readonly bytes: Buffer;
  /** Where it ends in the segment. */
  readonly end: number;
  readonly isLast: boolean;
}

/** Whether bytes begin a sealed segment, or may: not all of them may have been written. */
export const beginsSealed = (bytes: Buffer): boolean => magic.subarray(0, bytes.length).equals(bytes.subarray(0, magic.length));
