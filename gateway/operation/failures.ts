import { MillraceError } from '../../schema/errors.ts';
import { badRequest, Problem } from '../problem.ts';

const later = (seconds: number): { readonly headers: Readonly<Record<string, string>> } => ({ headers: { 'retry-after': `${seconds}` } });

export const overloaded = (): Problem =>
  new Problem(503, 'Overloaded', 'More is asked than can be answered just now; try again in a second.', later(1));

export const changedMeanwhile = (): Problem =>
  new Problem(503, 'Changed', 'What is published changes just now; try again in a second.', later(1));

const tooSlow = (): Problem =>
  new Problem(
    504,
    'Took too long',
    'The warehouse took longer than a request may take: ask for fewer rows or columns, or filter by the key.',
  );

const ofFramework: Readonly<Record<number, readonly [title: string, detail: string]>> = {
  400: ['Bad request', 'The request can not be read.'],
  405: ['Method not allowed', 'This method is not for this path.'],
  408: ['Request timeout', 'The request did not come within its time.'],
  411: ['Length required', 'The request must say how long its body is.'],
  413: ['Too large', 'The body is larger than it may be.'],
  414: ['Address too long', 'The address is longer than it may be.'],
  415: ['Unsupported media type', 'The body is taken as JSON: send it with "content-type: application/json".'],
  431: ['Headers too large', 'The headers are larger than they may be.'],
};

interface FrameworkError {
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly validation?: unknown;
  readonly validationContext?: unknown;
}

const hasFields = (error: unknown): error is FrameworkError => typeof error === 'object' && error !== null;

/** The status that a client's fault has, said by Fastify; undefined for all else. */
function statusOf(error: FrameworkError): number | undefined {
  const { code, statusCode } = error;
  if (typeof code !== 'string' || !code.startsWith('FST_') || typeof statusCode !== 'number') return undefined;
  return statusCode >= 400 && statusCode < 500 ? statusCode : undefined;
}

function ofValidation(validation: readonly unknown[], place: unknown): Problem {
  const details = validation.filter(hasFields).map((one) => {
    const { instancePath, message } = { instancePath: '', message: 'is not what it should be', ...one };
    return { at: instancePath === '' ? String(place) : instancePath, message };
  });
  return badRequest(details);
}

function ofMillrace(error: MillraceError): Problem | undefined {
  switch (error.code) {
    case 'rejected':
      if (error.message.startsWith('the statement took longer')) return tooSlow();
      return new Problem(400, 'Bad request', error.message, { cause: error });
    case 'schema':
    case 'not-found':
      return changedMeanwhile();
    case 'unavailable':
    case 'rate-limited':
      return new Problem(503, 'Unavailable', 'What this needs can not be reached just now; try again.', {
        ...later(Math.max(1, Math.ceil((error.retryAfter ?? 1000) / 1000))),
        cause: error,
      });
    default:
      return undefined;
  }
}

const tooLarge = (bytes: number): string =>
  `The body may have ${bytes} bytes here: send less at a time, in several requests. Who runs the gateway sets it (gateway.body).`;

/** What a caller is told of a failure; undefined when it is none of his business. `bodyBytes` are what a body may have. */
export function problemOf(error: unknown, bodyBytes?: number): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof MillraceError) return ofMillrace(error);
  if (!hasFields(error)) return undefined;
  if (Array.isArray(error.validation)) return ofValidation(error.validation, error.validationContext);
  const status = statusOf(error);
  if (status === undefined) return undefined;
  const [title, detail] = ofFramework[status] ?? ['Bad request', 'The request can not be taken.'];
  return new Problem(status, title, status === 413 && bodyBytes !== undefined ? tooLarge(bodyBytes) : detail);
}

/** The body of a problem (RFC 9457). */
export const problemBody = ({ status, title, message, errors }: Problem, id?: string): string =>
  JSON.stringify({
    type: `urn:millrace:problem:${title.toLowerCase().replaceAll(' ', '-')}`,
    title,
    status,
    detail: message,
    ...(errors.length === 0 ? {} : { errors }),
    ...(id === undefined ? {} : { id }),
  });
