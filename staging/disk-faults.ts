import { statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { MillraceError } from '../schema/errors.ts';

const fullCodes: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);
const forbiddenCodes: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR']);

/**
 * Turns a full disk (or quota) into `unavailable` and a folder that can't be written into `config`, with the folder and the remedy;
 * other errors come back as they are.
 */
export async function explainDiskFault(error: unknown, root: string): Promise<unknown> {
  if (!(error instanceof Error) || !('code' in error)) return error;
  if (fullCodes.has(error.code)) return new MillraceError('unavailable', await fullDiskMessage(root), { cause: error });
  if (!forbiddenCodes.has(error.code)) return error;
  return new MillraceError(
    'config',
    `The staging folder ${root} can't be written by the worker's user on ${hostname()} (${String(error.code)}). Let that user own it, or set another folder.`,
    { cause: error },
  );
}

/** What a person reads when the staging folder has no room. */
async function fullDiskMessage(root: string): Promise<string> {
  const free = await statfs(root).then(
    (disk) => `${formatBytes(disk.bavail * disk.bsize)} free`,
    () => 'bytes free unknown',
  );
  return (
    `The staging folder ${root} is full (${free}). Free space on that disk, keep fewer staged loads, ` +
    `or put the staging folder on a larger one; the run goes on by itself.`
  );
}

function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KiB`;
  if (bytes < 1024 ** 3) return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}
