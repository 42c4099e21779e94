import type { Attempt, Books } from '../connectors/connector.ts';
import type { BookedRejection, StreamName } from '../schema/books.ts';

const pageRows = 1000;

/** The open rejections of a stream, in the order they were kept. */
export async function* openRejections(books: Books, name: StreamName, attempt: Attempt): AsyncGenerator<BookedRejection> {
  for (let after: string | undefined; ;) {
    const { project, pipeline, stream } = name;
    const query = { project, pipeline, stream, limit: pageRows, ...(after === undefined ? {} : { after }) };
    const page = await books.listRejections(query, attempt);
    yield* page;
    attempt.beat();
    after = page.at(-1)?.id;
    if (page.length < pageRows) return;
  }
}
