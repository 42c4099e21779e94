import type { AcceptedEvent } from './event-values.ts';
import { stringEnd } from '../../schema/json-text.ts';

const [beforeTime, beforeId, beforeEvent] = ['{"at":"', '","id":', ',"event":'];
const timeLength = '2026-01-01T00:00:00.000Z'.length;
const idAt = beforeTime.length + timeLength + beforeId.length;

/** An event as a line of a segment, without its end. The event's text must be one line. */
export function eventLine({ id, receivedAt, text }: AcceptedEvent): string {
  return `${beforeTime}${receivedAt}${beforeId}${JSON.stringify(id)}${beforeEvent}${text}}`;
}

/** Reads what `eventLine` wrote; undefined for a line that isn't one, or is cut off. */
export function parseEventLine(line: string): AcceptedEvent | undefined {
  const idEnd = stringEnd(line, idAt);
  const isWhole =
    line.startsWith(beforeTime) &&
    line.startsWith(beforeId, idAt - beforeId.length) &&
    line.startsWith(beforeEvent, idEnd) &&
    line.endsWith('}}');
  if (!isWhole) return undefined;
  const id: unknown = JSON.parse(line.slice(idAt, idEnd));
  if (typeof id !== 'string') return undefined;
  return {
    id,
    receivedAt: line.slice(beforeTime.length, beforeTime.length + timeLength),
    text: line.slice(idEnd + beforeEvent.length, -1),
  };
}
