/** Names that were given, so that no two things have one. */
export interface Names {
  /** The name wanted, as GraphQL allows it; with `_` behind it as often as it is taken. */
  give(wanted: string): string;
}

/** Names of one scope: `reserved` are taken from the start. */
export function createNames(reserved: Iterable<string>): Names {
  const taken = new Set(reserved);
  return {
    give(wanted) {
      let name = graphqlName(wanted);
      while (taken.has(name)) name += '_';
      taken.add(name);
      return name;
    },
  };
}

/** A text as a name of GraphQL: other characters than letters, digits and `_` become `_`; names that begin with `__` are GraphQL's own. */
function graphqlName(text: string): string {
  const name = text.replaceAll(/[^A-Za-z0-9_]/g, '_').replace(/^__+/, '_');
  if (/^_*$/.test(name)) return 'unnamed';
  return /^\d/.test(name) ? `_${name}` : name;
}

/** `customer_health` as `CustomerHealth`. */
export const typeName = (text: string): string =>
  text
    .split(/[._]/)
    .map((part) => part.slice(0, 1).toUpperCase() + part.slice(1))
    .join('');

/** Words that columns can't have as names: they mean something else in enums and filters. */
export const reservedFields: readonly string[] = ['true', 'false', 'null', 'and', 'or', 'not'];
