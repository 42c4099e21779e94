/** Polls a condition; fails naming it after a minute, or the seconds given. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, seconds = 60): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (
    !(await Promise.resolve()
      .then(condition)
      .catch(() => false))
  ) {
    if (Date.now() > end) throw new Error(`no ${what} within ${seconds} seconds`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
