import { appendFile, writeFile } from 'node:fs/promises';

const flushBytes = 1 << 20;

/** A CSV `file, line, shift, partition, label`: from the `line`th good row of a file on, a row's line number is its own + shift. */
export class LineNumbers {
  readonly path: string;
  #text = '';

  constructor(path: string) {
    this.path = path;
  }

  async create(): Promise<void> {
    await writeFile(this.path, '');
  }

  add(file: number, input: { readonly partition: number; readonly label: string }, row: number, shift: number): void {
    this.#text += `${file},${row},${shift},${input.partition},"${input.label.replaceAll('"', '""')}"\n`;
  }

  async flush(force = false): Promise<void> {
    if (this.#text.length < flushBytes && !force) return;
    const text = this.#text;
    this.#text = '';
    await appendFile(this.path, text);
  }
}
