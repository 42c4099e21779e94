import { Command, InvalidArgumentError } from 'commander';

/** Options of every command that reads the project file. */
export interface ProjectOptions {
  readonly file?: string;
  readonly envFile?: string;
}

export interface JsonOption {
  readonly json?: true;
}

/** A command that reads the project file, with its examples below the help. */
export function projectCommand(name: string, summary: string, examples: readonly string[]): Command {
  return plainCommand(name, summary, examples)
    .option('-f, --file <path>', 'the project file; without it, millrace.yaml or millrace.config.ts here or in a folder above')
    .option('--env-file <path>', 'a file of variables in place of .env beside the project file');
}

/** A command without a project file, with its examples below the help. */
export function plainCommand(name: string, summary: string, examples: readonly string[]): Command {
  const shown = examples.map((example) => `  ${example}`).join('\n');
  return new Command(name)
    .description(summary)
    .addHelpText('after', `\nExamples:\n${shown}`)
    .showHelpAfterError(`(see millrace ${name} --help)`);
}

/** A whole number of at least one. */
export function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return value;
}

/** `a=b`, split at the first sign that isn't part of a name. */
export function assignment(text: string): { readonly left: string; readonly right: string } {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be of the form name=value.');
  return { left: text.slice(0, at), right: text.slice(at + 1) };
}
