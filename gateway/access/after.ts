/** Goes on with a value: at once where it is there, which saves what waiting costs each request, else when it comes. */
export const after = <T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> =>
  value instanceof Promise ? value.then(next) : next(value);
