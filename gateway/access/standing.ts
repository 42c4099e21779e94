import type { GatewayBooks } from '../../connectors/gateway-books.ts';
import type { Caller } from '../caller.ts';

/** Whether callers may go on: one look at the books for all answers to a token that are under way. */
export class Standing {
  readonly #books: Pick<GatewayBooks, 'findToken'>;
  readonly #project: string;
  readonly #asked = new Map<string, Promise<boolean>>();

  constructor(books: Pick<GatewayBooks, 'findToken'>, project: string) {
    this.#books = books;
    this.#project = project;
  }

  /** False once a token was revoked or has expired, or when nobody can tell. */
  async isGood(caller: Caller): Promise<boolean> {
    const { exp } = caller.claims;
    if (caller.id.startsWith('jwt:')) return typeof exp !== 'number' || exp * 1000 > Date.now();
    const [, id] = /^token:(.+)$/.exec(caller.id) ?? [];
    if (id === undefined) return true;
    const asked = this.#asked.get(id) ?? this.#ask(id);
    this.#asked.set(id, asked);
    return await asked;
  }

  async #ask(id: string): Promise<boolean> {
    try {
      const token = await this.#books.findToken(this.#project, id);
      return (
        token !== undefined && token.revokedAt === undefined && !(token.expiresAt !== undefined && token.expiresAt.getTime() <= Date.now())
      );
    } catch {
      return false;
    } finally {
      this.#asked.delete(id);
    }
  }
}
