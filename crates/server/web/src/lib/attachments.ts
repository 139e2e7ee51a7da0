// Text files beside a question: how they are read, bounded, and put into words for the model.
import type { Attachment } from './types.ts';

/** Bytes of one file. */
export const MAX_FILE = 256 * 1024;
/** Bytes of all files of a message. */
export const MAX_TOTAL = 1024 * 1024;
export const MAX_FILES = 10;

/** The files' texts, and a sentence for each file that is not taken. */
export interface Taken {
  attachments: Attachment[];
  problems: string[];
}

/** Reads `files` beside those already `there`. */
export async function take(files: readonly File[], there: readonly Attachment[]): Promise<Taken> {
  const taken: Taken = { attachments: [], problems: [] };
  let total = there.reduce((sum, { text }) => sum + sizeOf(text), 0);
  for (const file of files) {
    const name = cleanName(file.name);
    const refuse = (why: string) => taken.problems.push(`${name}: ${why}`);
    if (there.length + taken.attachments.length >= MAX_FILES) refuse(`no more than ${MAX_FILES} files go with a message`);
    else if (file.size > MAX_FILE) refuse(`${formatSize(file.size)}, at most ${formatSize(MAX_FILE)} are taken`);
    else if (total + file.size > MAX_TOTAL) refuse(`the files of a message are ${formatSize(MAX_TOTAL)} at most`);
    else {
      const text = decode(await file.arrayBuffer());
      if (text === null) refuse('not a text file');
      else {
        taken.attachments.push({ name, text });
        total += file.size;
      }
    }
  }
  return taken;
}

/** The text of UTF-8 bytes; nothing if they are something else. */
export function decode(bytes: ArrayBuffer): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? null : text.replaceAll('\r\n', '\n');
  } catch {
    return null;
  }
}

/** What the model reads: the files, each fenced under its name, and then the question. */
export function withAttachments(content: string, attachments: readonly Attachment[] = []): string {
  const blocks = attachments.map(({ name, text }) => {
    const fence = fenceFor(text);
    return `File \`${name}\`:\n\n${fence}${languageOf(name)}\n${text.replace(/\n$/, '')}\n${fence}`;
  });
  return [...blocks, content].filter((part) => part !== '').join('\n\n');
}

/** Longer than any run of backticks in `text`, so that nothing in it can end the block. */
function fenceFor(text: string): string {
  const longest = (text.match(/`{3,}/g) ?? []).reduce((most, run) => Math.max(most, run.length), 2);
  return '`'.repeat(longest + 1);
}

function languageOf(name: string): string {
  return /\.([a-z0-9+#]{1,12})$/i.exec(name)?.[1]?.toLowerCase() ?? '';
}

/** A name that stays on its line and within its backticks. */
function cleanName(name: string): string {
  return name.replace(/[\p{C}`]/gu, '').slice(0, 120) || 'file';
}

export function sizeOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const kib = bytes / 1024;
  return kib < 1024 ? `${kib < 10 ? kib.toFixed(1) : Math.round(kib)} KiB` : `${(kib / 1024).toFixed(1)} MiB`;
}
