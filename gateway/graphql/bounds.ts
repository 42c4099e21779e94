import { Kind, type DocumentNode, type SelectionSetNode } from 'graphql';
import { tooLarge } from './failure.ts';

/** Bounds of a query's text, before anything is made of it. */
export const bounds = { tokens: 4000, aliases: 100, directives: 50, fields: 1000, variables: 10_000, variableDepth: 20 } as const;

interface Size {
  readonly depth: number;
  readonly fields: number;
  readonly aliases: number;
  readonly directives: number;
}

const nothing: Size = { depth: 0, fields: 0, aliases: 0, directives: 0 };

/**
 * Refuses a document that is too deep, or has too many fields, aliases or directives, with each fragment counted wherever it is
 * spread. It takes time by the length of the document alone: a fragment is measured once.
 */
export function requireSmall(document: DocumentNode, maxDepth: number): void {
  const fragments = new Map(
    document.definitions.flatMap((definition) =>
      definition.kind === Kind.FRAGMENT_DEFINITION ? [[definition.name.value, definition.selectionSet] as const] : [],
    ),
  );
  const measured = new Map<string, Size>();
  const ofFragment = (name: string): Size => {
    const known = measured.get(name);
    if (known !== undefined) return known;
    // A cycle counts as nothing here; validation refuses it.
    measured.set(name, nothing);
    const size = ofSet(fragments.get(name));
    measured.set(name, size);
    return size;
  };
  const ofSet = (set: SelectionSetNode | undefined): Size =>
    (set?.selections ?? []).reduce((sum, node): Size => {
      const inner = node.kind === Kind.FRAGMENT_SPREAD ? ofFragment(node.name.value) : ofSet(node.selectionSet);
      const isField = node.kind === Kind.FIELD;
      return {
        depth: Math.max(sum.depth, inner.depth + (isField ? 1 : 0)),
        fields: sum.fields + inner.fields + (isField ? 1 : 0),
        aliases: sum.aliases + inner.aliases + (isField && node.alias !== undefined ? 1 : 0),
        directives: sum.directives + inner.directives + (node.directives?.length ?? 0),
      };
    }, nothing);

  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION && definition.kind !== Kind.FRAGMENT_DEFINITION) continue;
    requireBounds(ofSet(definition.selectionSet), maxDepth);
  }
}

/** A level of datasets has up to three of fields: `orders { edges { node`. Introspection queries of editors have 15. */
const deepest = (maxDepth: number): number => Math.max(3 * maxDepth + 2, 16);

function requireBounds(size: Size, maxDepth: number): void {
  if (size.depth > deepest(maxDepth)) throw tooLarge(`The query is nested more than ${deepest(maxDepth)} fields deep.`);
  for (const part of ['aliases', 'directives', 'fields'] as const)
    if (size[part] > bounds[part]) throw tooLarge(`The query has more than ${bounds[part]} ${part}.`);
}

/** Refuses variables with too many values in them, or nested too deep. */
export function requireFewValues(variables: unknown): void {
  let values = 0;
  let level: readonly unknown[] = [variables];
  for (let depth = 0; level.length > 0; depth += 1) {
    values += level.length;
    if (depth > bounds.variableDepth) throw tooLarge(`The variables are nested more than ${bounds.variableDepth} deep.`);
    if (values > bounds.variables) throw tooLarge(`The variables have more than ${bounds.variables} values.`);
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []));
  }
}
