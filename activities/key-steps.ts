import { MillraceError } from '../schema/errors.ts';
import type { Step } from '../schema/step.ts';

/** Columns that the steps ahead must give; undefined: any may be needed. */
type Needed = ReadonlySet<string> | undefined;

interface Taken {
  readonly step: Step | undefined;
  readonly needed: Needed;
}

/** The entries of a record whose names are needed. */
function pick<T>(record: Readonly<Record<string, T>>, wanted: (name: string, value: T) => boolean): Record<string, T> | undefined {
  const entries = Object.entries(record).filter(([name, value]) => wanted(name, value));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function pickNames(names: readonly string[], needed: Needed): string[] | undefined {
  const picked = names.filter((name) => needed?.has(name) !== false);
  return picked.length === 0 ? undefined : picked;
}

function rename(step: Extract<Step, { rename: unknown }>, needed: Needed): Taken {
  if (needed === undefined) return { step, needed };
  const names = pick(step.rename, (_, to) => needed.has(to));
  const before = new Map(Object.entries(names ?? {}).map(([from, to]) => [to, from]));
  return { step: names && { rename: names }, needed: new Set([...needed].map((name) => before.get(name) ?? name)) };
}

function cleaned(step: Extract<Step, { trim: unknown } | { nullif: unknown }>, needed: Needed): Step | undefined {
  if ('trim' in step) {
    if (step.trim === 'all') return step;
    const trim = pickNames(step.trim, needed);
    return trim && { trim };
  }
  if (Array.isArray(step.nullif)) return step;
  const columns = pickNames(step.nullif.columns, needed);
  return columns && { nullif: { ...step.nullif, columns } };
}

/** A key that can't be cast was refused with its row, so here it only has to equal no other. */
function cast(step: Extract<Step, { cast: unknown }>, needed: Needed): Step | undefined {
  const picked = pick(step.cast, (name) => needed?.has(name) !== false);
  if (picked === undefined) return undefined;
  const targets = Object.entries(picked).map(([name, to]) => [
    name,
    { ...(typeof to === 'string' ? { to } : to), on_failure: 'null' as const },
  ]);
  return { cast: Object.fromEntries(targets) };
}

/** What an expression is made of isn't known, so before it every column is needed. */
function derive(step: Extract<Step, { derive: unknown }>, needed: Needed): Taken {
  const makesKey = needed === undefined || Object.keys(step.derive).some((name) => needed.has(name));
  return makesKey ? { step, needed: undefined } : { step: undefined, needed };
}

function take(step: Step, needed: Needed, place: string): Taken {
  if ('rename' in step) return rename(step, needed);
  if ('trim' in step || 'nullif' in step) return { step: cleaned(step, needed), needed };
  if ('cast' in step) return { step: cast(step, needed), needed };
  if ('derive' in step) return derive(step, needed);
  if ('select' in step || 'drop' in step) return { step: needed === undefined ? step : undefined, needed };
  if (!('sql' in step)) return { step: undefined, needed };
  throw new MillraceError(
    'config',
    `${place}: reconcile reads only the keys, and what a sql step makes of them isn't known; take reconcile out, or do the step's work in a model`,
  );
}

/**
 * The steps that give a stream's key, from its key columns alone where that is possible: those that leave rows out are not among them, so that
 * a row that was loaded is never missed. Throws `config` for a `sql` step; `place` is the pipeline and stream.
 */
export function keySteps(steps: readonly Step[], key: readonly string[], place: string): readonly Step[] {
  let needed: Needed = new Set(key);
  const kept: Step[] = [];
  for (const step of steps.toReversed()) {
    const taken = take(step, needed, place);
    needed = taken.needed;
    if (taken.step !== undefined) kept.unshift(taken.step);
  }
  const select: Step = { select: [...key] };
  if (needed === undefined) return [...kept, select];
  return kept.length === 0 ? [select] : [{ select: [...needed] }, ...kept, select];
}
