/** What stands before a claim that is compared with as a list: a single value is a list of one there, never an array's text. */
const beforeList = /\b(any|some|all)\s*\(\s*$/i;

export const wantsList = (before: string): boolean => beforeList.test(before);

const comparisons: ReadonlySet<string> = new Set(['=', '<>', '!=', '<', '<=', '>', '>=', '~', '~*', '!~', '!~*']);

/** Whether SQL ends with a comparison with one value, and not with an operator of arrays or JSON such as `@>`. */
function endsWithComparison(sql: string): boolean {
  const [, operator] = /([-+*/<>=~!@#%^&|?]+)\s*$/.exec(sql) ?? [];
  return operator === undefined ? /\b(i?like|in\s*\()\s*$/i.test(sql) : comparisons.has(operator);
}

function beginsWithComparison(sql: string): boolean {
  const [, operator] = /^\s*([-+*/<>=~!@#%^&|?]+)/.exec(sql) ?? [];
  return operator === undefined ? /^\s*(not\s+)?(i?like|in)\b/i.test(sql) : comparisons.has(operator);
}

const toType = /^\s*::\s*[\w ]*?(?:\(\d+(?:,\s*\d+)?\))?(\[\s*\])?(?=\s*(?:[^\w\s[]|\b(?:and|or|is|not|in|like|ilike)\b|$))/i;

/** Whether a claim between these parts of a rule is compared with as one value, so that a list would match nothing, or the text of an array. */
export function wantsOne(before: string, after: string): boolean {
  const [cast = '', isArray] = toType.exec(after) ?? [];
  if (isArray !== undefined || /::\s*jsonb?\b/i.test(cast)) return false;
  return endsWithComparison(before) || beginsWithComparison(after.slice(cast.length));
}
