import { isUtf8 } from 'node:buffer';
import { MillraceError } from '../../schema/errors.ts';
import type { FilesReadOptions } from './settings.ts';
import { type Encoding, hasUtf8Mark } from './text-bytes.ts';

/** The encoding of a file from the option, else its byte order mark, else what its first bytes are; a guess comes with a note. */
export function findEncoding(
  start: Uint8Array,
  option: FilesReadOptions['encoding'],
): { readonly encoding: Encoding; readonly note?: string } {
  if (option === 'latin-1') return { encoding: 'windows-1252' };
  if (option === 'utf-8') return { encoding: 'utf-8' };
  const sixteen = findUtf16(start);
  if (option === 'utf-16') return { encoding: sixteen ?? 'utf-16le' };
  if (sixteen !== undefined) return { encoding: sixteen };
  if (start[0] === 0x50 && start[1] === 0x4b && start[2] === 0x03) {
    throw new MillraceError('config', 'The file is a zip archive (or a spreadsheet), not text. Unpack it, or save it as CSV.');
  }
  if (isUtf8(wholeCharacters(start))) return { encoding: 'utf-8' };
  return { encoding: 'windows-1252', note: 'is not UTF-8 and was read as latin-1; set read.encoding to make that certain' };
}

function findUtf16(start: Uint8Array): Encoding | undefined {
  if (start[0] === 0xff && start[1] === 0xfe) return 'utf-16le';
  if (start[0] === 0xfe && start[1] === 0xff) return 'utf-16be';
  return hasUtf8Mark(start) ? undefined : guessUtf16(start.subarray(0, 4096));
}

/** In UTF-16 of most languages' texts every other byte is often zero. */
function guessUtf16(start: Uint8Array): Encoding | undefined {
  const zeros = { even: 0, odd: 0 };
  for (const [index, byte] of start.entries()) if (byte === 0) zeros[index % 2 === 0 ? 'even' : 'odd'] += 1;
  if (zeros.even + zeros.odd < Math.max(start.byteLength / 5, 1)) return undefined;
  return zeros.odd > zeros.even ? 'utf-16le' : 'utf-16be';
}

/** Without the bytes of a character that was cut at the end. */
function wholeCharacters(bytes: Uint8Array): Uint8Array {
  let end = bytes.byteLength;
  while (end > 0 && end > bytes.byteLength - 3 && ((bytes[end - 1] ?? 0) & 0xc0) === 0x80) end -= 1;
  return end > 0 && (bytes[end - 1] ?? 0) >= 0xc0 ? bytes.subarray(0, end - 1) : bytes;
}
