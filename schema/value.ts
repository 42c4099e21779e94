/** A number that JavaScript can't hold exactly; it travels as PostgreSQL wrote it, and is written into JSON as it is. */
export class ExactNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

/** JSON with exact numbers. */
export type Json = null | boolean | number | string | ExactNumber | readonly Json[] | { readonly [name: string]: Json };

/** A field's value on its way to an application: dates and times as ISO 8601 text, `bytea` as base64, composite and JSON columns as JSON. */
export type FieldValue = Json;

/** Values as JSON text, exact numbers as they are; undefined members are left out. */
export function jsonText(value: unknown): string {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map((item) => jsonText(item ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${jsonText(member)}`).join(',')}}`;
}
