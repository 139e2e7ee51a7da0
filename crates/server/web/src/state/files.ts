// Exports and imports, as the reader asks for them.
import { download } from '../lib/browser.ts';
import { exportText, ImportError, MAX_IMPORT, parseExport } from '../lib/transfer.ts';
import type { Chat } from '../lib/types.ts';
import { chats } from './chats.svelte.ts';
import { ui } from './ui.svelte.ts';

/** Downloads all chats, or only one. */
export async function exportChats(only?: Chat): Promise<void> {
  const bundles = (await chats.database?.bundles(only?.id)) ?? [];
  const now = Date.now();
  const day = new Date(now).toISOString().slice(0, 10);
  const name = only ? slug(only.title) : 'chats';
  download(`ingle-${name}-${day}.json`, exportText(bundles, now));
}

/** Adds the chats of a file to those here, and says what came of it. */
export async function importChats(file: File): Promise<void> {
  try {
    if (file.size > MAX_IMPORT) throw new ImportError('This file is larger than 64 MiB.');
    const bundles = parseExport(await file.text());
    const added = (await chats.database?.add(bundles)) ?? 0;
    await chats.reload();
    const known = bundles.length - added;
    ui.tell(`${count(added)} imported${known > 0 ? `; ${count(known)} already here` : ''}.`);
  } catch (error) {
    ui.tell(error instanceof ImportError ? error.message : `The file could not be imported: ${String(error)}`);
  }
}

const count = (chats: number) => `${chats} ${chats === 1 ? 'chat' : 'chats'}`;

function slug(title: string): string {
  const words = title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-');
  return words.replace(/^-+|-+$/g, '').slice(0, 40) || 'chat';
}
