import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dependencies } from '../../activities/dependencies.ts';
import type { Attempt } from '../../connectors/connector.ts';

/** What a command does itself instead of asking a worker, with a staging folder that goes with it. */
export interface InProcess extends AsyncDisposable {
  readonly dependencies: Dependencies;
  /** A folder of its own for files. */
  readonly folder: string;
  readonly attempt: Attempt;
}

/** Opens connections in this process: secrets are looked up here, and values of rows never leave it. */
export async function openInProcess(what: string, signal: AbortSignal): Promise<InProcess> {
  const { openDependencies } = await import('../../worker/dependencies.ts');
  const folder = await mkdtemp(join(tmpdir(), 'millrace-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const dependencies = await openDependencies({ staging: join(folder, 'staging'), environment: process.env });
    const attempt: Attempt = { signal, name: `millrace:${what}:${process.pid}`, beat: () => undefined };
    return { dependencies, folder, attempt, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
