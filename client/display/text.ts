/** `1 234 567` */
export const count = (value: number): string =>
  Math.round(value)
    .toString()
    .replaceAll(/\B(?=(\d{3})+$)/g, ' ');

/** `1 234`; nothing for none. */
export const some = (value: number): string => (value > 0 ? count(value) : '');

/** `1 row`, `12 rows` */
export const counted = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** `0.8 s`, `12 s`, `3 min 5 s`, `2 h 10 min` */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

/** `3 min 5 s ago`, `in 2 h 10 min` */
export function fromNow(date: Date, now = Date.now()): string {
  const seconds = (now - date.getTime()) / 1000;
  if (seconds >= 0) return `${duration(seconds)} ago`;
  const days = Math.round(-seconds / 86_400);
  return days > 2 ? `in ${days} days` : `in ${duration(-seconds)}`;
}

/** `2026-11-23 06:35:14 UTC` */
export const moment = (date: Date): string => `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** Text from elsewhere on one line, without control characters that a terminal would obey. */
// oxlint-disable-next-line no-control-regex
export const oneLine = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');

/** The first letters of a text, `…` where more follow. */
export const cut = (text: string, length: number): string => (text.length <= length ? text : `${text.slice(0, length - 1)}…`);
