import { LRUCache } from 'lru-cache';
import type { GatewayContext } from '../context.ts';
import type { Caller } from '../caller.ts';
import type { OperationPlan } from './execute.ts';

const keptPlans = 2000;
const longestKept = 8000;

/** Gives the plan of a question, by the shapes as they are now. */
export type Plans = (caller: Caller, question: string, make: () => OperationPlan) => OperationPlan;

/** Plans that were made: who sees the same and asks the same is understood alike. */
export function keepPlans({ catalog }: Pick<GatewayContext, 'catalog'>): Plans {
  const kept = new LRUCache<string, OperationPlan>({ max: keptPlans });
  return (caller, question, make) => {
    if (question.length > longestKept) return make();
    const key = `${catalog.generation} ${caller.identity}\n${question}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const made = make();
    // What introspection says may be long.
    if (made.parts.every(({ kind }) => kind !== 'text')) kept.set(key, made);
    return made;
  };
}
