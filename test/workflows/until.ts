/** Polls a condition; fails naming it after half a minute. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + 30_000;
  while (
    !(await Promise.resolve()
      .then(condition)
      .catch(() => false))
  ) {
    if (Date.now() > end) throw new Error(`no ${what} within 30 seconds`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
