import type { ErrorObject } from 'ajv';
import { hasHugeNumber, keyValue, pointerOf, unstorable, valueProblems } from '../../connectors/ingest/event-values.ts';
import type { EventSchema } from '../../connectors/ingest/event-schema.ts';
import { membersOf } from '../../schema/json-text.ts';
import type { Detail } from '../problem.ts';
import type { PostedEvent } from './read-body.ts';

/** Of one event; the rest is left out. */
const mostErrors = 10;

/** What the schema says is wrong, without the values. */
function told({ instancePath, message = 'is not as the schema says', params }: ErrorObject): Detail {
  const { additionalProperty, unevaluatedProperty } = params;
  const extra: unknown = additionalProperty ?? unevaluatedProperty;
  if (typeof extra === 'string') return { at: `${instancePath}${pointerOf(extra)}`, message: 'is not a property of these events' };
  return { at: instancePath, message };
}

/** The id of an event that may be taken, where its connection names a key; or what is wrong with it. */
export type Checked = { readonly id: string | undefined } | { readonly errors: readonly Detail[] };

function storable({ text, value, isJson }: PostedEvent): Detail | undefined {
  if (!isJson) return { at: '', message: 'is not valid JSON' };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { at: '', message: 'must be a JSON object' };
  if (hasHugeNumber(text)) return { at: '', message: 'holds a number of more than 1,000 digits, or with an exponent of more than 3' };
  return unstorable(value);
}

function idOf(members: ReadonlyMap<string, string>, { columns }: EventSchema, key: string): Checked {
  const column = columns.find(({ name }) => name === key);
  const id = column === undefined ? undefined : keyValue(members, column);
  return id === undefined ? { errors: [{ at: pointerOf(key), message: 'identifies the event and must have a value' }] } : { id };
}

/** Whether an event is as the schema says, and whether the columns and any database can hold it. Pointers are within the event. */
export function checkEvent(event: PostedEvent, schema: EventSchema, key: string | undefined): Checked {
  const bad = storable(event);
  if (bad !== undefined) return { errors: [bad] };
  if (!schema.validate(event.value)) return { errors: (schema.validate.errors ?? []).slice(0, mostErrors).map(told) };
  const members = membersOf(event.text);
  const problems = valueProblems(members, schema.columns);
  if (problems.length > 0) return { errors: problems.slice(0, mostErrors) };
  return key === undefined ? { id: undefined } : idOf(members, schema, key);
}
