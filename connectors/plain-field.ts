import type { Field } from './application.ts';

/** A field that may be written and left out, but for what is said. */
export const plainField = (name: string, type: Field['type'], more: Partial<Field> = {}): Field => ({
  name,
  type,
  required: false,
  readOnly: false,
  unique: false,
  ...more,
});
