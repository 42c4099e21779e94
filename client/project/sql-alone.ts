const escaped = String.raw`'(?:[^'\\]|\\[\s\S]|'')*'`;

/** Pieces of SQL in which parentheses and semicolons mean nothing, by how they begin. */
const pieces: readonly { readonly begins: RegExp; readonly whole: RegExp; readonly what: string }[] = [
  { begins: /(?<![\w$])[eE]'/y, whole: new RegExp(`[eE]${escaped}(?:\\s*\\n\\s*${escaped})*`, 'y'), what: 'quote' },
  { begins: /'/y, whole: /'(?:[^']|'')*'/y, what: 'quote' },
  { begins: /"/y, whole: /"(?:[^"]|"")*"/y, what: 'quote' },
  { begins: /--/y, whole: /--[^\n\r]*/y, what: 'comment' },
  { begins: /(?<![\w$])\$(?:[A-Za-z_]\w*)?\$/y, whole: /(\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?\1/y, what: 'quote' },
];

function matched(pattern: RegExp, sql: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(sql)?.[0].length ?? 0;
}

/** Length of a comment in which others may stand; NaN when it has no end. */
function commentLength(sql: string, from: number): number {
  let depth = 0;
  for (let at = from; at < sql.length; at += 2) {
    const two = sql.slice(at, at + 2);
    if (two === '/*') depth += 1;
    else if (two === '*/') depth -= 1;
    else at -= 1;
    if (depth === 0) return at + 2 - from;
  }
  return Number.NaN;
}

/** The length of the piece that begins here, 0 for none, or which is not closed. */
function pieceAt(sql: string, at: number): number | string {
  if (sql.startsWith('/*', at)) return commentLength(sql, at) || 'comment';
  const piece = pieces.find(({ begins }) => matched(begins, sql, at) > 0);
  return piece === undefined ? 0 : matched(piece.whole, sql, at) || piece.what;
}

/** Why a condition would not stay within parentheses that are put around it; undefined when it does. */
export function whyNotAlone(sql: string): string | undefined {
  let depth = 0;
  for (let at = 0; at < sql.length; at += 1) {
    const piece = pieceAt(sql, at);
    if (typeof piece === 'string') return `has a ${piece} that is not closed`;
    if (piece > 0) at += piece - 1;
    else if (sql[at] === ';') return 'has a semicolon';
    else if (sql[at] === '(') depth += 1;
    else if (sql[at] === ')') depth -= 1;
    if (depth < 0) break;
  }
  return depth === 0 ? undefined : 'has a parenthesis without its other';
}
