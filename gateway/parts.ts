import type { Part } from './context.ts';
import { restPart } from './rest/index.ts';

/** What the gateway serves. */
export const parts: readonly Part[] = [restPart];
