import { readFile } from 'node:fs/promises';

const projectFile = (name: string): string => `# yaml-language-server: $schema=./.millrace/millrace.schema.json
# What Millrace does in this project. Check it with: millrace check

project: ${name}

connections:
  # A folder of CSV, NDJSON, JSON or Parquet files.
  drops: { type: files, path: ./data }

  # Where everything is loaded. WAREHOUSE_URL comes from the environment or from .env beside this file;
  # without a value, Millrace starts a PostgreSQL of its own on this machine.
  warehouse: { type: postgres, url: "\${env:WAREHOUSE_URL}" }

  # A database to load from: take the signs away and give SHOP_URL a value in .env.
  # shop: { type: postgres, url: "\${env:SHOP_URL}" }

pipelines:
  films:
    from: drops
    to: warehouse.films              # connection.schema
    # schedule: every 15 minutes     # or "0 5 * * 1-5"; millrace up and millrace apply put it into effect
    streams:
      "films*.csv":
        into: films
        mode: replace                # or append, merge, history
        transform:
          - trim: all
          - nullif: ["", N/A, unknown]
          - cast: { released: date, budget: "decimal(14,2)" }
          - dedupe: { key: [title, released], order: [_line desc] }
          - expect: { title: { not_null: true }, budget: { min: 0 } }

  # shop:
  #   from: shop
  #   to: warehouse.shop
  #   streams:
  #     public.*: { mode: replace }
  #     orders:   { mode: merge, key: id, cursor: updated_at }

models:
  # A query in the warehouse, built as a table after the pipeline has loaded.
  films_by_year:
    sql: |
      SELECT extract(year FROM released)::int AS year, count(*) AS films, sum(budget) AS budget
      FROM films.films GROUP BY 1 ORDER BY 1
    build: table
    into: films.by_year
    after: [films]
`;

const variables = `# Copy this file to .env, which git does not keep. Variables of the environment go before those of .env.

# The warehouse. Without a value, Millrace starts a PostgreSQL on this machine.
# WAREHOUSE_URL=postgres://user:password@host:5432/database

# SHOP_URL=postgres://user:password@host:5432/database
`;

/** Some of its lines are wrong on purpose: a date that is none, a budget that is none, a line twice, a title missing. */
const films = `title,released,director,budget
Metropolis,1927-01-10,Fritz Lang,5300000
"Sunrise, a Song of Two Humans",1927-09-23,F. W. Murnau,N/A
The General,1926-12-31,Buster Keaton, 750000
The General,1926-12-31,"Keaton, Buster",750000
City Lights,1931-01-30,Charlie Chaplin,1500000
M,1931-05-11,Fritz Lang,unknown
Nosferatu,4 March 1922,F. W. Murnau,
,1928-04-21,Carl Theodor Dreyer,
Safety Last!,1923-04-01,Fred C. Newmeyer,a lot
`;

/** The files of a first project, by path. */
export const firstProject = (name: string): Readonly<Record<string, string>> => ({
  'millrace.yaml': projectFile(name),
  '.env.example': variables,
  'data/films.csv': films,
});

/** The schema of the project file for editors, as the reference has it. */
export async function editorSchema(): Promise<string> {
  const root = import.meta.url.endsWith('.ts') ? '../..' : '../../..';
  return await readFile(new URL(`${root}/docs/reference/project.schema.json`, import.meta.url), 'utf8');
}
