import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';

/** Adds the variables of a `.env` file to the environment; a variable that is set already keeps its value. */
export async function loadEnvFile(path: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const variables = parseEnv(await readFile(path, 'utf8'));
  for (const [name, value] of Object.entries(variables)) environment[name] ??= value;
}
