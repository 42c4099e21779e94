/** A client of `/changes`, as a program would write it. */
interface ReadEvent {
  readonly id: string;
  readonly data: { readonly id: string; readonly apis: readonly string[]; readonly rows: number | null; readonly at: string };
}

export interface Following extends AsyncDisposable {
  readonly status: number;
  readonly headers: Headers;
  readonly events: readonly ReadEvent[];
  /** The last id that was told, also without an event. */
  readonly cursor: string;
  readonly retry: number | undefined;
  /** How often it was told where it is. */
  readonly heartbeats: number;
  /** Comes when the stream has ended, however. */
  readonly ended: Promise<'end' | 'broken'>;
  readonly isEnded: boolean;
}

/** Opens a stream and reads all that comes. */
export async function followChanges(
  address: string,
  path: string,
  token: string,
  headers: Record<string, string> = {},
): Promise<Following> {
  const leaving = new AbortController();
  const answer = await fetch(`${address}${path}`, { headers: { authorization: `Bearer ${token}`, ...headers }, signal: leaving.signal });
  const events: ReadEvent[] = [];
  const state = { cursor: '', retry: undefined as number | undefined, heartbeats: 0, isEnded: false };
  const take = (block: string): void => {
    const fields = block.split('\n').map((line): readonly [string, string] => {
      const at = line.indexOf(':');
      return [line.slice(0, at), line.slice(at + 1).trimStart()];
    });
    const found = new Map(fields);
    const [data, id, retry] = [found.get('data'), found.get('id'), found.get('retry')];
    if (retry !== undefined) state.retry = Number(retry);
    // As the client `eventsource` reads: an id without data is nothing.
    if (data === undefined || id === undefined) return;
    state.cursor = id;
    if (found.get('event') === 'cursor') state.heartbeats += 1;
    else events.push({ id, data: JSON.parse(data) as ReadEvent['data'] });
  };
  const read = async (): Promise<'end' | 'broken'> => {
    let rest = '';
    const decoder = new TextDecoder();
    try {
      for await (const chunk of answer.body ?? []) {
        const blocks = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n\n');
        rest = blocks.pop() ?? '';
        blocks.forEach(take);
      }
      return 'end';
    } catch {
      return 'broken';
    } finally {
      state.isEnded = true;
    }
  };
  const ended = read();
  return {
    status: answer.status,
    headers: answer.headers,
    events,
    ended,
    get cursor() {
      return state.cursor;
    },
    get retry() {
      return state.retry;
    },
    get heartbeats() {
      return state.heartbeats;
    },
    get isEnded() {
      return state.isEnded;
    },
    async [Symbol.asyncDispose]() {
      leaving.abort();
      await ended;
    },
  };
}
