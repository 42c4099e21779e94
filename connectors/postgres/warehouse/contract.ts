import type { Column } from '../../../schema/column.ts';
import { MillraceError } from '../../../schema/errors.ts';
import type { Load } from '../../../schema/load.ts';
import { isOwnColumn, place } from './names.ts';
import type { TargetTable } from './target.ts';
import { fitOf } from './fit.ts';

/** What a load changes in its target, and which of its columns it delivers. */
export interface ContractPlan {
  readonly delivered: readonly Column[];
  readonly add: readonly Column[];
  readonly widen: readonly { readonly name: string; readonly from: string; readonly to: string }[];
  /** Columns whose types would lose something; only a rebuild by swap may deliver them. */
  readonly lossy: readonly { readonly name: string; readonly from: string; readonly to: string }[];
  readonly notes: readonly string[];
}

type Change = ContractPlan['widen'][number];

/** Compares a load's columns with its target under the stream's contract. Throws `schema` for what a freeze forbids. */
export function planContract(load: Load, target: TargetTable | undefined): ContractPlan {
  refuseOwnNames(load);
  if (target === undefined) return { delivered: load.columns, add: [], widen: [], lossy: [], notes: [] };
  const { contract } = load.definition;
  const types = new Map(target.columns.map((column) => [column.name, column.type]));
  const added = load.columns.filter((column) => !types.has(column.name));
  if (added.length > 0 && contract.columns === 'freeze') throw frozenColumns(load, added);
  const changes = typeChanges(load, types);
  if (changes.length > 0 && contract.types === 'freeze') throw frozenTypes(load, changes);
  const left = new Set([
    ...(contract.columns === 'discard' ? added.map((column) => column.name) : []),
    ...(contract.types === 'discard' ? changes.map((change) => change.name) : []),
  ]);
  const kept = changes.filter((change) => !left.has(change.name));
  return {
    delivered: load.columns.filter((column) => !left.has(column.name)),
    add: added.filter((column) => !left.has(column.name)),
    widen: kept.filter((change) => fitOf(change.to, change.from) === 'widens'),
    lossy: kept.filter((change) => fitOf(change.to, change.from) === 'conflicts'),
    notes: [...left].map((name) => `column ${name} is not delivered: the contract discards it`),
  };
}

/** Says which columns of the target the source has no longer; others may have added some to an adopted table. */
export function notesOfGone(load: Load, target: TargetTable | undefined): readonly string[] {
  if (target === undefined || load.reconciles || load.definition.adopt) return [];
  const names = new Set(load.columns.map((column) => column.name));
  return target.columns
    .filter(({ name, generated }) => !generated && !isOwnColumn(name) && !names.has(name))
    .map(({ name }) => `column ${name} is gone from the source: it stays, and new rows get NULL there`);
}

/** Throws `schema` when a load would have to cast values with loss; `remedy` says what to do instead. */
export function refuseLossy(load: Load, plan: ContractPlan, remedy: string): void {
  const [first] = plan.lossy;
  if (first === undefined) return;
  throw new MillraceError(
    'schema',
    `${place(load)}: column ${first.name} of ${load.target.schema}.${load.target.table} is ${first.from} and now comes as ${first.to}, which would lose values; ${remedy}`,
  );
}

function typeChanges(load: Load, types: ReadonlyMap<string, string>): readonly Change[] {
  return load.columns.flatMap(({ name, type }) => {
    const from = types.get(name);
    if (from === undefined) return [];
    const fit = fitOf(type, from);
    return fit === 'same' || fit === 'fits' ? [] : [{ name, from, to: type }];
  });
}

function refuseOwnNames(load: Load): void {
  const own = load.columns.find((column) => isOwnColumn(column.name));
  if (own === undefined) return;
  throw new MillraceError(
    'config',
    `${place(load)}: column ${own.name} has the name of a column that Millrace adds; rename or drop it in the transform`,
  );
}

function frozenColumns(load: Load, added: readonly Column[]): MillraceError {
  return new MillraceError(
    'schema',
    `${place(load)}: the source has new columns (${added.map((column) => `${column.name} ${column.type}`).join(', ')}) and the contract for columns is freeze; set contract: evolve to add them, discard to leave them out, or drop them in the transform`,
  );
}

function frozenTypes(load: Load, changes: readonly Change[]): MillraceError {
  return new MillraceError(
    'schema',
    `${place(load)}: types changed (${changes.map((change) => `${change.name} from ${change.from} to ${change.to}`).join(', ')}) and the contract for types is freeze; set contract: evolve, or cast them in the transform`,
  );
}
