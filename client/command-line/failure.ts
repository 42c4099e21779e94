import { MillraceError, type ErrorCode } from '../../schema/errors.ts';

/** 0 is success alone; 2 is a command or project file that is wrong, 1 every other failure, 130 an interrupt. */
export const exitCodes = { failed: 1, usage: 2, interrupted: 130 } as const;

/** What was asked for can't be: a mistake in the file, or a name that isn't there. */
const usageCodes: ReadonlySet<ErrorCode> = new Set(['config', 'not-found']);

/** A command ended as it should and has nothing to add, but was no success. */
export class Unsuccessful extends Error {
  readonly exitCode: number;

  constructor(exitCode: number = exitCodes.failed) {
    super('');
    this.exitCode = exitCode;
  }
}

interface ServiceError extends Error {
  readonly code: number;
  readonly details: string;
}

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error && typeof error.details === 'string';

/** The sentence of a refusal by the Temporal server, inside what its client puts around it. */
function serviceSentence(error: unknown): string | undefined {
  if (isServiceError(error)) return `Temporal: ${error.details}`;
  return error instanceof Error && error.cause !== undefined ? serviceSentence(error.cause) : undefined;
}

export interface Told {
  readonly text: string;
  readonly exitCode: number;
}

/** What a person is told of an error, and the exit code. */
export function tell(error: unknown): Told {
  if (error instanceof Unsuccessful) return { text: '', exitCode: error.exitCode };
  if (error instanceof MillraceError) {
    return { text: error.message, exitCode: usageCodes.has(error.code) ? exitCodes.usage : exitCodes.failed };
  }
  const sentence = serviceSentence(error) ?? (error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  return { text: `${sentence} (MILLRACE_DEBUG=1 shows where)`, exitCode: exitCodes.failed };
}
