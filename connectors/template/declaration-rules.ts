import { MillraceError } from '../../schema/errors.ts';
import type { ObjectDeclaration, OperationDeclaration } from './declaration.ts';

/** What a schema can't say of an operation: sentences for what is wrong with it. */
function problemsOf({ operations, find }: ObjectDeclaration, operation: OperationDeclaration): readonly string[] {
  const { find_first: findFirst = false, batch, settles, absent } = operation;
  const rules: readonly (readonly [boolean, string])[] = [
    [find === undefined && (findFirst || settles === 'lookup'), 'find_first and settles: lookup need a find of the object'],
    [findFirst && batch !== undefined, 'find_first is for single rows: leave batch out'],
    [absent === 'create' && operations.create === undefined, 'absent: create needs an operation create'],
    [
      settles === 'idempotency-key' && !carriesKey(operation),
      'settles: idempotency-key needs {{ idempotency_key }} in each row, or an idempotency header of single rows',
    ],
  ];
  return rules.flatMap(([isBroken, sentence]) => (isBroken ? [sentence] : []));
}

function carriesKey({ batch, idempotency, row, ...request }: OperationDeclaration): boolean {
  if (batch === undefined && idempotency !== undefined) return true;
  return JSON.stringify(batch === undefined ? request : (row ?? {})).includes('idempotency_key');
}

/** Throws `config` for an object that can't work, naming the operation. */
export function checkDeclaration(declared: ObjectDeclaration, where: string): void {
  for (const [name, operation] of Object.entries(declared.operations)) {
    const [problem] = problemsOf(declared, operation);
    if (problem !== undefined) throw new MillraceError('config', `${where}, operation ${name}: ${problem}`);
  }
  const { find } = declared;
  if (find?.batch !== undefined && (find.items === undefined || find.match === undefined)) {
    throw new MillraceError('config', `${where}, find: a look-up of several rows needs items and match`);
  }
}
