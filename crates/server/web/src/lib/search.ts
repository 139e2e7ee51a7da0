// Search through chats: every word must be there, in the title or in one message.
import type { Chat, Message } from './types.ts';

/** A chat that was found, with the words around the first place. */
export interface Hit {
  chat: string;
  snippet: string;
}

const BEFORE = 24;
const LENGTH = 90;

export class Finder {
  #words: string[];
  #hits = new Map<string, Hit>();

  constructor(query: string) {
    this.#words = fold(query).split(/\s+/).filter(Boolean);
  }

  title({ id, title }: Pick<Chat, 'id' | 'title'>): void {
    if (this.#find(title) !== null) this.#hits.set(id, { chat: id, snippet: '' });
  }

  message({ chat, content }: Pick<Message, 'chat' | 'content'>): void {
    if (this.#hits.has(chat)) return;
    const at = this.#find(content);
    if (at !== null) this.#hits.set(chat, { chat, snippet: snippet(content, at) });
  }

  hits(): Hit[] {
    return [...this.#hits.values()];
  }

  /** Where the first word stands, if all do. */
  #find(text: string): number | null {
    const folded = fold(text);
    const places = this.#words.map((word) => folded.indexOf(word));
    return places.length === 0 || places.includes(-1) ? null : Math.min(...places);
  }
}

/** Case and accents make no difference. Lengths stay as they are for what people write, which snippets rely on. */
function fold(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

function snippet(text: string, at: number): string {
  const start = Math.max(0, at - BEFORE);
  const cut = text.slice(start, start + LENGTH).replace(/\s+/g, ' ').trim();
  return `${start > 0 ? '…' : ''}${cut}${start + LENGTH < text.length ? '…' : ''}`;
}
