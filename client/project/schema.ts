import type { z } from 'zod';
import { connectionSettings } from '../../connectors/settings.ts';
import { projectSchema } from '../../schema/project.ts';

/** The one schema of `millrace.yaml` and `millrace.config.ts`. */
export const projectFileSchema = projectSchema(connectionSettings);

/** A project file as it is written, after validation; no defaults are filled in. */
export type ProjectFile = z.infer<typeof projectFileSchema>;

/** Types the project of a `millrace.config.ts`: `export default defineProject({ … })`. */
export function defineProject(project: z.input<typeof projectFileSchema>): z.input<typeof projectFileSchema> {
  return project;
}
