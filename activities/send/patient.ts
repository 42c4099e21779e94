import type { Attempt } from '../../connectors/connector.ts';

/** An attempt for what must end well: a cancellation reaches it late by so many milliseconds. */
export function patientAttempt(attempt: Attempt, late: number): Attempt & Disposable {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const cancelled = (): void => void (timer = setTimeout(() => controller.abort(attempt.signal.reason), late));
  if (attempt.signal.aborted) cancelled();
  else attempt.signal.addEventListener('abort', cancelled, { once: true });
  return {
    signal: controller.signal,
    name: attempt.name,
    beat: (progress) => attempt.beat(progress),
    [Symbol.dispose]() {
      clearTimeout(timer);
      attempt.signal.removeEventListener('abort', cancelled);
    },
  };
}
