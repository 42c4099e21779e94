import type { SyncDefinition } from '../../../schema/sync-definition.ts';

/** What a ledger belongs to. */
export interface Mapping {
  /** Which object of which application, found by which fields, for which key, and whether rows are taken out of it: under another one the ledger says nothing. */
  readonly address: string;
  /** The fields that are sent, in order. */
  readonly fields: string;
}

/** The definition's mapping in words that people read in the books. */
export function mappingOf(sync: SyncDefinition): Mapping {
  const match = sync.match.map((pair) => pair.field).join(', ');
  const place = `${sync.to.name}.${sync.object}${sync.mode === 'remove' ? ' to be removed' : ''}`;
  return {
    address: `${place} found by ${match}, key ${sync.model.key.join(', ')}`,
    fields: sync.map.map(({ field, whenNull }) => (whenNull === 'keep' ? `${field} (NULL is kept)` : field)).join(', '),
  };
}

/** A definition's mapping, and where its application writes to; undefined where nobody knows. */
export interface MappedTo {
  readonly sync: SyncDefinition;
  readonly identity: string | undefined;
}

/** The mapping that the ledger was written under; null before anything was planned. */
export interface BookedMapping {
  readonly identity: string | null;
  readonly address: string | null;
  readonly mapping: string | null;
}

/** Does the application write to another place than the one that the ledger holds for? Where one of them isn't known it is taken as the same. */
const isElsewhere = (before: BookedMapping, { identity }: MappedTo): boolean =>
  before.identity !== null && identity !== undefined && before.identity !== identity;

/** Says a ledger nothing of what a definition writes to? */
export const isForeign = (before: BookedMapping, now: MappedTo): boolean =>
  before.address !== null && (before.address !== mappingOf(now.sync).address || isElsewhere(before, now));

/** What differs between the booked mapping and the definition's, as a sentence; undefined when nothing does. */
export function mappingDifference(before: BookedMapping, mapped: MappedTo): string | undefined {
  if (before.address === null) return undefined;
  const now = mappingOf(mapped.sync);
  const { name } = mapped.sync.to;
  const parts = [
    ...(before.address === now.address ? [] : [`it was sent to ${before.address}, and now goes to ${now.address}`]),
    ...(isElsewhere(before, mapped) ? [`connection ${name} was ${before.identity}, and now is ${mapped.identity}`] : []),
    ...(before.mapping === now.fields ? [] : [`the fields were ${before.mapping ?? 'none'}, and now are ${now.fields}`]),
  ];
  return parts.length === 0 ? undefined : parts.join('; ');
}
