import { wrong, type Finding, type Path } from './finding.ts';
import { whyNotAlone } from './sql-alone.ts';

/** What is wrong with a condition on rows: references other than to claims, claims within quotes, where nothing is bound, and what reaches beyond it. */
export function rowRuleFindings(rows: string, path: Path): readonly Finding[] {
  const malformed = /\$\{(?!claim:[A-Za-z_][\w.:/-]*\})(?!env:|file:)[^}]*\}?/.exec(rows);
  if (malformed !== null) return [wrong(path, `has "${malformed[0]}", which is no reference: write "\${claim:name}".`)];
  const quoted = [...rows.matchAll(/\$\{claim:([^}]*)\}/g)].find(({ index }) => isQuoted(rows.slice(0, index)));
  if (quoted !== undefined)
    return [wrong(path, `has ${quoted[0]} within quotes, where it would be text: leave them out, its value is bound as a parameter.`)];
  const why = whyNotAlone(rows.replaceAll(/\$\{claim:[^}]*\}/g, ' NULL '));
  return why === undefined ? [] : [wrong(path, `${why}: a condition stands by itself, in parentheses of its own beside others.`)];
}

const isQuoted = (before: string): boolean => (before.match(/'/g) ?? []).length % 2 === 1;

/** References to claims outside of `rows`: nothing would bind them. */
export function misplacedClaims(value: unknown, path: Path): readonly Finding[] {
  if (typeof value === 'string') {
    if (!value.includes('${claim:') || isRows(path)) return [];
    return [wrong(path, 'has a reference to a claim; only "rows" of an API\'s role can have one.')];
  }
  if (Array.isArray(value)) return value.flatMap((item, index) => misplacedClaims(item, [...path, index]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => misplacedClaims(item, [...path, key]));
}

const isRows = (path: Path): boolean => path[0] === 'apis' && path[2] === 'roles' && path[4] === 'rows' && path.length === 5;
