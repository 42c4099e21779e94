export interface ProbeTimes {
  /** Milliseconds for which an answer counts. */
  readonly fresh: number;
  /** Milliseconds after which one that doesn't answer counts as away. */
  readonly patience: number;
}

const usual: ProbeTimes = { fresh: 1000, patience: 2000 };

/** Asks whether all of these answer, no more often than answers count: who asks meanwhile is told the same. `ask` throws when it can't be reached. */
export function probeOf(asks: readonly (() => Promise<unknown>)[], { fresh, patience }: ProbeTimes = usual): () => Promise<boolean> {
  const probes = asks.map((ask) => joined(ask));
  let last: { readonly until: number; readonly answer: Promise<boolean> } | undefined;
  return async () => {
    if (last !== undefined && performance.now() < last.until) return await last.answer;
    const answer = Promise.all(probes.map(async (probe) => await inTime(probe(), patience))).then((all) => all.every(Boolean));
    const asked = { until: Infinity, answer };
    last = asked;
    const isThere = await answer;
    if (last === asked) last = { answer, until: performance.now() + fresh };
    return isThere;
  };
}

/** One that hangs isn't asked again until it ends: statements would pile up behind it. */
function joined(ask: () => Promise<unknown>): () => Promise<unknown> {
  let under: Promise<unknown> | undefined;
  return async () => {
    under ??= ask().finally(() => (under = undefined));
    await under;
  };
}

async function inTime(asked: Promise<unknown>, patience: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), patience);
  });
  const answered = asked.then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([answered, late]);
  } finally {
    clearTimeout(timer);
  }
}
