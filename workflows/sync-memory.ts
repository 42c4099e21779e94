import { ApplicationFailure, type WorkflowInfo } from '@temporalio/workflow';
import type { SyncReport } from '../schema/sync.ts';

/** What one continuous run hands on to the next, through the schedule: by its result, or by the details of its failure. */
export type Memory = Pick<SyncReport, 'pulse' | 'retryAt' | 'failures'>;

/** After a run that failed, the next tries again without a commit; twice as long after each, within bounds. */
const waitAfterFailure = 60_000;
const longestWaitAfterFailure = 8 * waitAfterFailure;

/** A memory of a pulse alone. */
export const remembered = (pulse: string | undefined): Memory => (pulse === undefined ? {} : { pulse });

const picked = ({ pulse, retryAt, failures }: Memory): Memory => ({
  ...remembered(pulse),
  ...(retryAt === undefined ? {} : { retryAt }),
  ...(failures === undefined ? {} : { failures }),
});

/** What a failed run says in its report; undefined where it ended without one, or is of a worker that said nothing of failures. */
function toldBy(failure: Error): Memory | undefined {
  if (!(failure instanceof ApplicationFailure)) return undefined;
  const [report] = failure.details ?? [];
  const memory = report as Memory | null | undefined;
  return memory?.failures === undefined ? undefined : picked(memory);
}

/** What the run before left: the schedule hands on the last result, and the failure when that came after it. */
export function memoryOf({ lastResult, lastFailure }: Pick<WorkflowInfo, 'lastResult' | 'lastFailure'>): Memory {
  const result = picked((lastResult as Memory | null | undefined) ?? {});
  if (lastFailure === undefined) return result;
  return toldBy(lastFailure) ?? afterFailure(result);
}

/** What a run that failed hands on: what it planned from would fail again, so that the next waits for another. */
export function afterFailure(memory: Memory, pulse: string | undefined = memory.pulse): Memory {
  return { ...memory, ...remembered(pulse), failures: (memory.failures ?? 0) + 1 };
}

/** When a run begins without a commit: refused rows may be sent again, or the run before failed. */
export function turnOf({ retryAt = Infinity, failures = 0 }: Memory, now: number): number {
  if (failures === 0) return retryAt;
  const wait = Math.min(longestWaitAfterFailure, waitAfterFailure * 2 ** (failures - 1));
  // Refused rows whose time has come are no reason to fail again at once.
  return now + wait;
}
