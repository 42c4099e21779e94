import {
  getDirectiveValues,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  Kind,
  type FieldNode,
  type FragmentDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

/** What an operation is read with. */
export interface Operation {
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Coerced. */
  readonly variables: Readonly<Record<string, unknown>>;
}

/** A field under its key in the answer; equal fields of the query are one, with the selections of all. */
export interface Selected {
  readonly as: string;
  readonly name: string;
  readonly nodes: readonly [FieldNode, ...FieldNode[]];
}

/**
 * The fields of selections, merged as the specification says (CollectFields). All types are objects and the query is valid, so
 * each fragment applies.
 */
export function fieldsOf(operation: Operation, sets: readonly (SelectionSetNode | undefined)[]): readonly Selected[] {
  const fields = new Map<string, { name: string; nodes: [FieldNode, ...FieldNode[]] }>();
  const spread = new Set<string>();
  const collect = (set: SelectionSetNode): void => {
    for (const node of set.selections) {
      if (!isIncluded(operation, node)) continue;
      if (node.kind === Kind.FIELD) {
        const as = node.alias?.value ?? node.name.value;
        const found = fields.get(as);
        if (found === undefined) fields.set(as, { name: node.name.value, nodes: [node] });
        else found.nodes.push(node);
      } else if (node.kind === Kind.INLINE_FRAGMENT) collect(node.selectionSet);
      else if (!spread.has(node.name.value)) {
        spread.add(node.name.value);
        const fragment = operation.fragments.get(node.name.value);
        if (fragment !== undefined) collect(fragment.selectionSet);
      }
    }
  };
  for (const set of sets) if (set !== undefined) collect(set);
  return [...fields].map(([as, field]) => ({ as, ...field }));
}

/** The fields below a field. */
export const fieldsBelow = (operation: Operation, { nodes }: Selected): readonly Selected[] =>
  fieldsOf(
    operation,
    nodes.map(({ selectionSet }) => selectionSet),
  );

function isIncluded({ variables }: Operation, node: SelectionNode): boolean {
  if (node.directives === undefined || node.directives.length === 0) return true;
  if (getDirectiveValues(GraphQLSkipDirective, node, variables)?.['if'] === true) return false;
  return getDirectiveValues(GraphQLIncludeDirective, node, variables)?.['if'] !== false;
}
