import { z } from 'zod';

export const postgresSettings = z
  .strictObject({
    type: z.literal('postgres').describe('A PostgreSQL database, as source or warehouse.'),
    url: z
      .string()
      .min(1)
      .describe('`postgres://user@host:5432/database`, with `sslmode` and `sslrootcert` as parameters; a password only by reference.'),
    role: z.string().min(1).describe('Role taken after connecting (`SET ROLE`), for instance the owner of the tables.').optional(),
  })
  .describe('A PostgreSQL database.');
export type PostgresSettings = z.infer<typeof postgresSettings>;

/** A PostgreSQL stream has no options of its own. */
export const postgresReadOptions = z.strictObject({});
