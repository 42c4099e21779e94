import { createInterface } from 'node:readline/promises';
import { MillraceError } from '../../schema/errors.ts';

/** Asks a person before something that isn't taken back. Without a terminal `--yes` is required; throws `config` then. */
export async function confirm(question: string, yes: boolean): Promise<boolean> {
  if (yes) return true;
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new MillraceError('config', `${question} There is no terminal to ask: say so with --yes.`);
  }
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
