const prefix = 'millrace_gateway_';
/** Series of one metric: labels are names of the project, so that more would be a fault. */
const mostSeries = 2000;
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60] as const;

type Labels = Readonly<Record<string, string>>;

interface Histogram {
  readonly counts: number[];
  sum: number;
  count: number;
}

/** Counters, histograms and gauges, in the text format of Prometheus. Names get the prefix `millrace_gateway_`. */
export interface Metrics {
  count(name: string, labels: Labels, by?: number): void;
  /** The same for one that is counted often: its labels are written once. */
  counter(name: string, labels: Labels): () => void;
  /** A histogram of times in seconds. */
  timer(name: string, labels: Labels): (seconds: number) => void;
  /** A number that is read whenever metrics are asked for. */
  gauge(name: string, labels: Labels, read: () => number): void;
  text(): string;
}

const escaped = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

const labelText = (labels: Labels): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',');

const line = (name: string, labels: string, value: number): string => `${name}${labels === '' ? '' : `{${labels}}`} ${value}`;

const and = (labels: string, more: string): string => (labels === '' ? more : `${labels},${more}`);

function series<T>(all: Map<string, Map<string, T>>, name: string, labels: Labels, make: () => T): T {
  const full = name.startsWith(prefix) ? name : prefix + name;
  let metric = all.get(full);
  if (metric === undefined) all.set(full, (metric = new Map<string, T>()));
  const key = labelText(labels);
  const found = metric.get(key);
  if (found !== undefined) return found;
  const made = make();
  if (metric.size < mostSeries) metric.set(key, made);
  return made;
}

export function createMetrics(): Metrics {
  const counters = new Map<string, Map<string, { value: number }>>();
  const histograms = new Map<string, Map<string, Histogram>>();
  const gauges = new Map<string, Map<string, { readonly read: () => number }>>();
  return {
    count(name, labels, by = 1) {
      series(counters, name, labels, () => ({ value: 0 })).value += by;
    },
    counter(name, labels) {
      const counted = series(counters, name, labels, () => ({ value: 0 }));
      return () => void (counted.value += 1);
    },
    timer(name, labels) {
      const histogram = series(histograms, name, labels, () => ({ counts: buckets.map(() => 0), sum: 0, count: 0 }));
      return (seconds) => {
        histogram.sum += seconds;
        histogram.count += 1;
        const index = buckets.findIndex((bound) => seconds <= bound);
        if (index >= 0) histogram.counts[index] = (histogram.counts[index] ?? 0) + 1;
      };
    },
    gauge(name, labels, read) {
      series(gauges, name, labels, () => ({ read }));
    },
    text() {
      const lines = [
        ...[...counters].flatMap(([name, all]) => [
          `# TYPE ${name} counter`,
          ...[...all].map(([labels, { value }]) => line(name, labels, value)),
        ]),
        ...[...histograms].flatMap(([name, all]) => [
          `# TYPE ${name} histogram`,
          ...[...all].flatMap(([labels, histogram]) => histogramLines(name, labels, histogram)),
        ]),
        ...[...gauges].flatMap(([name, all]) => [
          `# TYPE ${name} gauge`,
          ...[...all].map(([labels, { read }]) => line(name, labels, read())),
        ]),
      ];
      return `${lines.join('\n')}\n`;
    },
  };
}

function histogramLines(name: string, labels: string, { counts, sum, count }: Histogram): readonly string[] {
  let total = 0;
  return [
    ...buckets.map((bound, index) => {
      total += counts[index] ?? 0;
      return line(`${name}_bucket`, and(labels, `le="${bound}"`), total);
    }),
    line(`${name}_bucket`, and(labels, 'le="+Inf"'), count),
    line(`${name}_sum`, labels, sum),
    line(`${name}_count`, labels, count),
  ];
}
