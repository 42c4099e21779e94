/** The table that a stream without `into` is delivered to: the last part of its name, without a file's extension. */
export function targetTable(stream: string): string {
  const base = stream.split('/').at(-1) ?? stream;
  const name = /\.(csv|tsv|txt|json|jsonl|ndjson|parquet)(\.gz)?$/i.test(base)
    ? base.replace(/\.\w+(\.gz)?$/, '')
    : (base.split('.').at(-1) ?? base);
  return name
    .replaceAll('*', '')
    .replace(/[-_. ]+$/, '')
    .replaceAll(/[-. ]+/g, '_')
    .toLowerCase();
}
