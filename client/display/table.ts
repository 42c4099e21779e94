import { cut, oneLine } from './text.ts';

export interface TableColumn {
  readonly title: string;
  readonly right?: boolean;
}

const widest = 48;

/** Lines of a table with aligned columns; a column that is empty in all rows is left out. */
export function table(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): readonly string[] {
  const cells = rows.map((row) => columns.map((_, index) => cut(oneLine(row[index] ?? ''), widest)));
  const shown = columns
    .map((column, index) => ({ ...column, index, width: Math.max(column.title.length, ...cells.map((row) => row[index]?.length ?? 0)) }))
    .filter(({ index }) => cells.length === 0 || cells.some((row) => row[index] !== ''));
  const line = (texts: readonly string[]): string =>
    shown
      .map(({ index, width, right }) => (right === true ? (texts[index] ?? '').padStart(width) : (texts[index] ?? '').padEnd(width)))
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...cells.map(line)];
}
