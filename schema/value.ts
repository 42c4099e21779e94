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
