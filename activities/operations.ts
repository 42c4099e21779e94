import type { Application } from '../connectors/application.ts';
import { MillraceError } from '../schema/errors.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import type { Operation, OperationsByChange } from '../schema/sync.ts';

type Writes = Application['writes'];
type Wanted = Pick<SyncDefinition, 'name' | 'mode' | 'deletes' | 'object' | 'to' | 'match' | 'model'>;

/** `deletes: clear` empties the fields of the object, by the update that it has. */
function removal({ deletes }: Wanted, writes: Writes): Operation {
  if (deletes !== 'clear') return deletes;
  return writes.update === undefined ? 'upsert' : 'update';
}

/** A list has members and no objects of its own. */
const isList = (writes: Writes): boolean =>
  (writes.add !== undefined || writes.remove !== undefined) && writes.upsert === undefined && writes.delete === undefined;

function byMode(sync: Wanted, writes: Writes): OperationsByChange {
  switch (sync.mode) {
    case 'insert':
      return { added: 'create' };
    case 'update':
      return { added: 'update', changed: 'update' };
    case 'upsert':
      return { added: 'upsert', changed: 'upsert' };
    case 'mirror':
      return isList(writes) ? { added: 'add', removed: 'remove' } : { added: 'upsert', changed: 'upsert', removed: removal(sync, writes) };
    case 'add':
      return { added: 'add' };
    case 'remove':
      return { added: 'remove' };
  }
}

/** Modes, each with the operations that it needs. */
const needs: Readonly<Record<Exclude<SyncDefinition['mode'], 'mirror'>, Operation>> = {
  insert: 'create',
  update: 'update',
  upsert: 'upsert',
  add: 'add',
  remove: 'remove',
};

function possibleModes(writes: Writes): readonly string[] {
  const plain = Object.entries(needs).flatMap(([mode, operation]) => (writes[operation] === undefined ? [] : [mode]));
  const removals = (['delete', 'archive'] as const).filter((operation) => writes[operation] !== undefined);
  if (isList(writes)) return writes.add !== undefined && writes.remove !== undefined ? [...plain, 'mirror'] : plain;
  if (writes.upsert === undefined) return plain;
  return [...plain, ...[...removals, 'clear'].map((deletes) => `mirror with deletes: ${deletes}`)];
}

/** Of a member the ledger has the key alone: under another match it would stay in the list, and the new one would never come. */
function checkMembers({ name, match, model }: Wanted, operations: OperationsByChange): void {
  const isMembership = Object.values(operations).some((operation) => operation === 'add' || operation === 'remove');
  const loose = match.map(({ column }) => column).filter((column) => !model.key.includes(column));
  if (!isMembership || loose.length === 0) return;
  const [matched, key] = [match.map(({ column }) => column).join(', '), model.key.join(', ')];
  throw new MillraceError(
    'config',
    `sync ${name}: members are found by ${matched}, but the key of model ${model.name} is ${key}: a row whose ${loose.join(', ')} changes would leave its old member in the list and never add the new one. Give the model the key that finds members: key: ${match.length === 1 ? matched : `[${matched}]`}`,
  );
}

/** Which operation each change of a row becomes. Throws `config` naming what the object can do instead, or that members can't be told by the key. */
export function operationsOf(sync: Wanted, writes: Writes): OperationsByChange {
  const operations = byMode(sync, writes);
  const missing = [...new Set(Object.values(operations))].filter((operation) => writes[operation] === undefined);
  if (missing.length === 0) {
    checkMembers(sync, operations);
    return operations;
  }
  const place = `${sync.to.name}.${sync.object}`;
  const mode = sync.mode === 'mirror' ? `mirror with deletes: ${sync.deletes}` : sync.mode;
  const modes = possibleModes(writes);
  const remedy = modes.length === 0 ? 'it can be written by no mode' : `it can be written by ${modes.join(', ')}`;
  throw new MillraceError('config', `sync ${sync.name}: ${place} has no ${missing.join(' and no ')}, which mode ${mode} needs; ${remedy}`);
}

/** Every operation that a sync can come to need, before its application is open. */
export function possibleOperations({ mode, deletes }: Pick<SyncDefinition, 'mode' | 'deletes'>): readonly Operation[] {
  if (mode !== 'mirror') return [needs[mode]];
  return deletes === 'clear' ? ['upsert', 'update', 'add', 'remove'] : ['upsert', deletes, 'add', 'remove'];
}
