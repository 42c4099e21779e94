import { createHash } from 'node:crypto';

/** 16 hex digits that are the same for equal data, whatever the order of its properties. */
export function definitionHash(data: unknown): string {
  return createHash('sha256').update(stableJson(data)).digest('hex').slice(0, 16);
}

function stableJson(data: unknown): string {
  return JSON.stringify(data, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
