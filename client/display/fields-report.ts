import type { Field } from '../../connectors/application.ts';
import { table, type TableColumn } from './table.ts';

const columns: readonly TableColumn[] = [{ title: 'field' }, { title: 'type' }, { title: 'rules' }, { title: 'values' }];

function rules({ required, readOnly, unique, maxLength }: Field): string {
  const parts = [
    required ? 'required to create' : '',
    readOnly ? 'read only' : '',
    unique ? 'unique' : '',
    maxLength === undefined ? '' : `at most ${maxLength} characters`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** The fields of an application's object. */
export function fieldsTable(fields: readonly Field[]): readonly string[] {
  return table(
    columns,
    fields.map((field) => [field.name, field.type, rules(field), (field.options ?? []).join(', ')]),
  );
}
