/** What is wrong with one part of a request. */
export interface Detail {
  /** `limit`, `plan[eq]`, `/keys/3`: a parameter, or a JSON pointer into the body. */
  readonly at: string;
  readonly message: string;
}

/** An answer that says what is wrong (RFC 9457). It holds no secret, no SQL and no value of a row. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  /** Short and the same for each problem of its kind; its words with hyphens are the last part of `type`. */
  readonly title: string;
  readonly errors: readonly Detail[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    title: string,
    detail: string,
    more: { readonly errors?: readonly Detail[]; readonly headers?: Readonly<Record<string, string>>; readonly cause?: unknown } = {},
  ) {
    super(detail, more.cause === undefined ? undefined : { cause: more.cause });
    this.status = status;
    this.title = title;
    this.errors = more.errors ?? [];
    this.headers = more.headers ?? {};
  }
}

export const notFound = (what: string): Problem => new Problem(404, 'Not found', `There is no ${what} here.`);

export const badRequest = (errors: readonly Detail[]): Problem =>
  new Problem(400, 'Bad request', errors.map(({ at, message }) => `${at} ${message}`.trimStart()).join('; '), { errors });
