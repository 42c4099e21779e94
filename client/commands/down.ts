import type { Command } from 'commander';
import { projectCommand, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { loadProject } from '../project/load.ts';

const serverNames = { postgres: 'PostgreSQL', temporal: 'Temporal' } as const;

async function down(options: ProjectOptions): Promise<void> {
  const output = outputOf({});
  const { folder, name } = await loadProject(options);
  const { stopLocal } = await import('../../worker/local/index.ts');
  const stopped = await stopLocal(folder, output.note);
  for (const server of stopped) output.line(`stopped ${serverNames[server]}`);
  output.line(stopped.length === 0 ? `No local server of ${name} is running.` : 'What they stored stays; millrace up starts them again.');
}

/** `millrace down` */
export const command = (): Command =>
  projectCommand('down', 'Stops the local servers of this project. Their data stay.', ['millrace down']).action(down);
