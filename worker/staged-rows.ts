/** Fields of a record of the one CSV of Millrace: values are quoted, NULL is nothing at all. */
const field = /"((?:[^"]|"")*)"|([^",\n]*)/y;

/** Reads the first rows of the one CSV; null is NULL. */
export function stagedRows(text: string, limit: number): readonly (readonly (string | null)[])[] {
  const rows: (string | null)[][] = [];
  let row: (string | null)[] = [];
  let at = 0;
  while (at < text.length && rows.length < limit) {
    field.lastIndex = at;
    const match = field.exec(text);
    const [whole = '', quoted, bare = ''] = match ?? [];
    row.push(quoted === undefined ? (bare === '' ? null : bare) : quoted.replaceAll('""', '"'));
    at += whole.length;
    if (text[at] !== ',') {
      rows.push(row);
      row = [];
    }
    at += 1;
  }
  return rows;
}
