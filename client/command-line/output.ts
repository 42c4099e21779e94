/** Where a command writes: results to standard output, everything about the way there to standard error under `--json`. */
export interface Output {
  readonly json: boolean;
  /** Standard output is a terminal that a person looks at. */
  readonly live: boolean;
  /** A line of the result. */
  readonly line: (text?: string) => void;
  /** A line about what is being done; never part of a script's input. */
  readonly note: (text: string) => void;
  /** The result under `--json`; nothing else is written to standard output then. */
  readonly data: (value: unknown) => void;
}

const isLive = (): boolean => process.stdout.isTTY && process.env['TERM'] !== 'dumb' && process.env['CI'] === undefined;

/** The output of a command that was called with or without `--json`. */
export function outputOf({ json = false }: { readonly json?: boolean | undefined }): Output {
  const error = (text: string): void => void process.stderr.write(`${text}\n`);
  return {
    json,
    live: !json && isLive(),
    line: (text = '') => {
      if (!json) process.stdout.write(`${text}\n`);
    },
    note: (text) => {
      if (json) error(text);
      else process.stdout.write(`${text}\n`);
    },
    data: (value) => {
      if (json) process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
    },
  };
}
