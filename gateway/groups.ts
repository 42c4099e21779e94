/** The most groups of an answer where nobody says how many are wanted. */
export const mostGroups = 1000;

/** Whether an array among the members of the answer has more items than these: the text is looked through, not parsed. */
export function hasMoreItems(json: string, items: number): boolean {
  let depth = 0;
  let found = 0;
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === 0x22) at = endOfText(json, at);
    else if (code === 0x7b || code === 0x5b) {
      if (depth === 1) found = 0;
      if (depth === 2 && ++found > items) return true;
      depth++;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return false;
}

/** Where the JSON text that begins at a quote ends. */
function endOfText(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === 0x22) return at;
  }
  return json.length;
}
