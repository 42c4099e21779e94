import type { HttpAnswer, HttpRequest } from './client.ts';
import type { IncomingAnswer } from './stores.ts';

/** Headers by which vendors commonly name a request. */
const requestIdHeaders = ['x-request-id', 'request-id', 'x-correlation-id', 'x-trace-id'];

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An answer with its JSON read and the vendor's name of the request. */
export function readAnswer(incoming: IncomingAnswer, requestIds: readonly string[] = []): HttpAnswer {
  const { status, headers, body: text } = incoming;
  const requestId = [...requestIds, ...requestIdHeaders].map((name) => headers[name.toLowerCase()]).find((id) => id !== undefined);
  return { status, headers, text, body: text === '' ? undefined : parsed(text), requestId };
}

const isHtml = ({ headers, text }: HttpAnswer): boolean =>
  /\bhtml\b/i.test(headers['content-type'] ?? '') || /^\s*<(!doctype|html)\b/i.test(text);

/** What is wrong with a 2xx answer that should hold what the request expects; undefined when nothing is. */
export function garbleOf(answer: HttpAnswer, expects: HttpRequest['expects']): string | undefined {
  if (expects === 'text') return isHtml(answer) ? 'a page of HTML' : undefined;
  if (answer.text === '') {
    const mayBeEmpty = expects === 'json-or-nothing' || (expects === undefined && (answer.status === 204 || answer.status === 205));
    return mayBeEmpty ? undefined : 'an empty body';
  }
  if (answer.body !== undefined) return undefined;
  return isHtml(answer) ? 'a page of HTML' : 'no complete JSON';
}
