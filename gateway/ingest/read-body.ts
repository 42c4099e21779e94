import { isUtf8 } from 'node:buffer';
import { elementsOf, inOneLine } from '../../schema/json-text.ts';
import { badRequest, Problem } from '../problem.ts';

/** One event of a body: its text as it came, in one line, and its value; or that it isn't JSON. */
export interface PostedEvent {
  readonly text: string;
  readonly value: unknown;
  readonly isJson: boolean;
  /** Its place in the array, or its line; from 0. */
  readonly index: number;
}

export interface PostedBody {
  readonly events: readonly PostedEvent[];
  /** More than one event may be in it, so that problems are told by index. */
  readonly batch: boolean;
}

/** Of one request. */
const mostEvents = 10_000;

const posted = (text: string, value: unknown, index: number): PostedEvent => ({ text: inOneLine(text.trim()), value, isJson: true, index });

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest([{ at: '', message: 'The body is not valid JSON.' }]);
  }
}

function readLine({ line, index }: { readonly line: string; readonly index: number }): PostedEvent {
  try {
    return posted(line, JSON.parse(line), index);
  } catch {
    return { text: '', value: undefined, isJson: false, index };
  }
}

function readJson(text: string): PostedBody {
  const value = parsed(text);
  if (!Array.isArray(value)) return { events: [posted(text, value, 0)], batch: false };
  limit(value.length);
  const texts = elementsOf(text);
  return { events: value.map((one, index) => posted(texts[index] ?? '', one, index)), batch: true };
}

function limit(events: number): void {
  if (events > mostEvents) throw new Problem(413, 'Too many events', `A request takes at most ${mostEvents} events; send them in several.`);
}

/** The events of a body: one JSON object, an array of them, or one in each line. Throws 400 where it is none of these, 413, 415. */
export function readBody(type: string | undefined, body: Buffer): PostedBody {
  const media = (type ?? '').split(';')[0]?.trim().toLowerCase();
  if (!isUtf8(body)) throw badRequest([{ at: '', message: 'The body is not valid UTF-8.' }]);
  const text = body.toString('utf8').replace(/^\uFEFF/, '');
  if (media === 'application/json' || media?.endsWith('+json') === true) return readJson(text);
  if (media !== 'application/x-ndjson' && media !== 'application/jsonl' && media !== 'application/ndjson')
    throw new Problem(415, 'Unsupported media type', 'Events are taken as application/json or application/x-ndjson.');
  const lines = text
    .split('\n')
    .map((line, index) => ({ line, index }))
    .filter(({ line }) => line.trim() !== '');
  limit(lines.length);
  return { events: lines.map(readLine), batch: true };
}
