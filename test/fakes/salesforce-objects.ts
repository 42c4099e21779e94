/** A field as `describe` has it; what isn't given is a text that can be written and may be empty. */
export interface SalesforceFakeField {
  readonly name: string;
  readonly type?: string;
  readonly length?: number;
  readonly required?: boolean;
  readonly readOnly?: boolean;
  readonly externalId?: boolean;
  readonly options?: readonly string[];
  /** The object that a reference leads to, and the relationship's name. */
  readonly reference?: { readonly to: string; readonly as: string };
}

/** Objects of the fake org. */
export const salesforceObjects: Readonly<Record<string, readonly SalesforceFakeField[]>> = {
  Account: [
    { name: 'Id', type: 'id', length: 18, readOnly: true },
    { name: 'Name', length: 40, required: true },
    { name: 'External__c', length: 60, externalId: true },
    { name: 'Number__c', type: 'double', externalId: true },
    { name: 'Tier__c', type: 'picklist', options: ['gold', 'silver'] },
    { name: 'Tags__c', type: 'multipicklist' },
    { name: 'AnnualRevenue', type: 'currency' },
    { name: 'Active__c', type: 'boolean' },
    { name: 'Seen__c', type: 'datetime' },
    { name: 'Description', type: 'textarea', length: 32_000 },
    { name: 'ParentId', type: 'reference', reference: { to: 'Account', as: 'Parent' } },
    { name: 'CreatedDate', type: 'datetime', readOnly: true },
  ],
  Health_Score__c: [
    { name: 'Id', type: 'id', length: 18, readOnly: true },
    { name: 'Key__c', length: 60, externalId: true },
    { name: 'Score__c', type: 'double' },
  ],
};

function marksOf({ name, type, required = false, readOnly = false, externalId = false }: SalesforceFakeField): object {
  return {
    createable: !readOnly,
    updateable: !readOnly,
    nillable: !required && type !== 'boolean',
    defaultedOnCreate: type === 'boolean' || type === 'id',
    externalId,
    idLookup: externalId || name === 'Id',
    unique: externalId,
    caseSensitive: false,
  };
}

function described(field: SalesforceFakeField): unknown {
  const { name, type = 'string', length = 255, options = [], reference } = field;
  return {
    name,
    type,
    length: type === 'string' ? length : 0,
    ...marksOf(field),
    restrictedPicklist: type === 'picklist',
    picklistValues: options.map((value) => ({ value, active: true, label: value })),
    relationshipName: reference?.as ?? null,
    referenceTo: reference === undefined ? [] : [reference.to],
  };
}

/** The answer of `sobjects/{object}/describe`. */
export function describeAnswer(object: string): unknown {
  return { name: object, createable: true, fields: (salesforceObjects[object] ?? []).map(described) };
}
