import type { Load } from '../../../schema/load.ts';
import { quoteIdentifier } from '../sql.ts';

/** Columns that Millrace adds to the tables it fills. */
export const loadIdColumn = '_load_id';
export const loadedAtColumn = '_loaded_at';
export const deletedAtColumn = '_deleted_at';
export const historyColumns = ['_valid_from', '_valid_to', '_is_current'] as const;

/** The order of rows within a load's table, (file, position) as one number; only in tables whose keys may repeat. */
export const orderColumn = '_millrace_order';

const ownColumns: ReadonlySet<string> = new Set([loadIdColumn, loadedAtColumn, deletedAtColumn, ...historyColumns]);

/** True for columns that Millrace adds and sources don't deliver. */
export function isOwnColumn(name: string): boolean {
  return ownColumns.has(name);
}

/** True for the index that Millrace makes for the current versions of a history's keys. */
export function isCurrentIndex(table: string, name: string, definition: string): boolean {
  return name.startsWith(table.slice(0, 30)) && /_idx\d*$/.test(name) && definition.endsWith(' WHERE _is_current');
}

/** Name of a load's table in `_millrace`. */
export function loadTableName(loadId: string): string {
  return `l_${loadId.replaceAll('-', '')}`;
}

/** A load's table, qualified and quoted. */
export function loadTable(loadId: string): string {
  return `_millrace.${quoteIdentifier(loadTableName(loadId))}`;
}

/** How messages name a load's stream. */
export function place(load: Load): string {
  return `pipeline ${load.pipeline}, stream ${load.stream}`;
}

/** A list of columns, quoted, each behind the prefix (`t.`). */
export function columnList(names: readonly string[], prefix = ''): string {
  return names.map((name) => `${prefix}${quoteIdentifier(name)}`).join(', ');
}
