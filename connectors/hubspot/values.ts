import { jsonText, type FieldValue } from '../../schema/value.ts';

/** `2026-01-01T00:00:00.0000Z`: a time with more than milliseconds is as long as this at least. */
const longMoment = 25;

const isScalar = (value: FieldValue): boolean => typeof value !== 'object' || value === null;

/**
 * A property's value: HubSpot takes text only. NULL is the empty text, which clears; a list is what a property with several options takes
 * (`a;b`); times have milliseconds at most.
 */
export function propertyText(value: FieldValue): string {
  if (value === null) return '';
  if (typeof value === 'string' && value.length < longMoment) return value;
  if (typeof value === 'string') return value.replace(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})\d+(?=Z|[+-]\d\d)/, '$1');
  if (Array.isArray(value) && value.every(isScalar)) return value.map(propertyText).join(';');
  return typeof value === 'object' ? jsonText(value) : String(value);
}

export function propertyTexts(values: Readonly<Record<string, FieldValue>>): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const name of Object.keys(values)) texts[name] = propertyText(values[name] ?? null);
  return texts;
}
