import type { DatasetRead, Filter, OutputField, PageMember } from '../../../schema/dataset.ts';

/** Names of the columns that a read uses; `on` is what ties it to its parent. */
export function usedColumns(read: DatasetRead, on: readonly (readonly [string, string])[]): readonly string[] {
  return [
    ...fieldColumns(read.fields),
    ...read.sort.map(({ column }) => column),
    ...(read.filter === undefined ? [] : filterColumns(read.filter)),
    ...on.map(([, other]) => other),
    ...(read.shape.kind === 'keyed' ? read.shape.columns : []),
    ...(read.shape.kind === 'object' ? read.shape.members : []).flatMap(memberColumns),
  ];
}

function memberColumns(member: PageMember): readonly string[] {
  if (member.kind === 'rows') return fieldColumns(member.fields ?? []);
  return member.kind === 'edges' ? member.members.flatMap((edge) => (edge.kind === 'node' ? fieldColumns(edge.fields) : [])) : [];
}

const fieldColumns = (fields: readonly OutputField[]): readonly string[] =>
  fields.flatMap((field) => {
    if (field.kind === 'constant') return [];
    return field.kind === 'column' ? [field.column] : field.on.map(([own]) => own);
  });

/** Names of the columns that a filter uses. */
export function filterColumns(filter: Filter): readonly string[] {
  if (filter.kind === 'compare') return [filter.column];
  return filter.kind === 'not' ? filterColumns(filter.filter) : filter.filters.flatMap(filterColumns);
}
