/** A name as a quoted SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as a SQL string literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A scalar of the project file as a SQL literal; numbers keep their digits. */
export function scalarLiteral(value: string | number | boolean): string {
  return typeof value === 'string' ? literal(value) : String(value);
}
