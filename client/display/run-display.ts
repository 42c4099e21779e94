import { createLogUpdate } from 'log-update';
import type { RunReport, StreamReport } from '../../schema/run.ts';
import type { SyncReport } from '../../schema/sync.ts';
import { rate, runTable } from './run-report.ts';
import { syncLine, syncTable } from './sync-report.ts';
import { counted, duration } from './text.ts';

/** Shows a run while it goes on. */
export interface RunDisplay {
  show(report: RunReport): void;
  showSync(report: SyncReport): void;
  /** A line that stays. */
  say(line: string): void;
  /** Takes the live part away; what follows is written below. */
  end(): void;
}

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameEvery = 100;
/** In plain lines a stream at work is shown again after this time. */
const plainEvery = 5000;

/** A table that changes in place. */
export function liveDisplay(stream: NodeJS.WriteStream): RunDisplay {
  const update = createLogUpdate(stream);
  const startedAt = Date.now();
  let lines: readonly string[] = [];
  let frame = 0;
  const draw = (): void => {
    frame += 1;
    update([...lines, `${spinner[frame % spinner.length]} ${duration((Date.now() - startedAt) / 1000)}`].join('\n'));
  };
  const timer = setInterval(draw, frameEvery);
  return {
    show(report) {
      lines = runTable(report);
    },
    showSync(report) {
      lines = syncTable(report);
    },
    say: (line) => update.persist(line),
    end() {
      clearInterval(timer);
      update.clear();
      update.done();
    },
  };
}

function plainLine(stream: StreamReport): string {
  const parts = [stream.step, stream.read > 0 ? `${counted(stream.read, 'row')} read` : '', rate(stream)];
  return `${stream.stream}: ${[stream.status, ...parts.filter((part) => part !== '')].join(', ')}`;
}

/** A line for each change of a stream's or sync's status, and now and then for one at work. */
export function plainDisplay(write: (line: string) => void): RunDisplay {
  const shown = new Map<string, { readonly status: string; readonly step: string; readonly at: number }>();
  const isNews = (name: string, { status, step }: { readonly status: string; readonly step: string }): boolean => {
    const before = shown.get(name);
    if (before === undefined || before.status !== status) return status !== 'waiting';
    return status === 'running' && before.step !== step && Date.now() - before.at >= plainEvery;
  };
  return {
    show(report) {
      for (const stream of report.streams.filter((one) => isNews(one.stream, one))) {
        shown.set(stream.stream, { status: stream.status, step: stream.step, at: Date.now() });
        write(plainLine(stream));
      }
      for (const model of report.models.filter(({ model: name }) => !shown.has(`model ${name}`))) {
        shown.set(`model ${model.model}`, { status: model.status, step: '', at: Date.now() });
        write(`model ${model.model}: ${model.status}`);
      }
    },
    showSync(report) {
      if (!isNews(report.sync, report)) return;
      shown.set(report.sync, { status: report.status, step: report.step, at: Date.now() });
      write(syncLine(report));
    },
    say: write,
    end: () => undefined,
  };
}
