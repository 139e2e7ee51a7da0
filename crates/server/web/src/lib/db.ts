// Chats in the browser's database: two stores, chats and their messages.
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { Finder, type Hit } from './search.ts';
import type { Bundle } from './transfer.ts';
import type { Chat, Message } from './types.ts';

interface Schema extends DBSchema {
  chats: { key: string; value: Chat };
  messages: { key: string; value: Message; indexes: { chat: string } };
}

export class Database {
  #db: IDBPDatabase<Schema>;

  private constructor(db: IDBPDatabase<Schema>) {
    this.#db = db;
  }

  static async open(name = 'ingle'): Promise<Database> {
    const db = await openDB<Schema>(name, 1, {
      upgrade(fresh) {
        fresh.createObjectStore('chats', { keyPath: 'id' });
        fresh.createObjectStore('messages', { keyPath: 'id' }).createIndex('chat', 'chat');
      },
      // Another tab has a newer page: let it in.
      blocking: (_old, _new, event) => (event.target as IDBDatabase).close(),
    });
    return new Database(db);
  }

  chats(): Promise<Chat[]> {
    return this.#db.getAll('chats');
  }

  /** In the order they were made. */
  async messages(chat: string): Promise<Message[]> {
    const found = await this.#db.getAllFromIndex('messages', 'chat', chat);
    return found.sort((a, b) => a.created - b.created);
  }

  async put(chat: Chat, messages: readonly Message[] = []): Promise<void> {
    const tx = this.#db.transaction(['chats', 'messages'], 'readwrite');
    await Promise.all([
      tx.objectStore('chats').put(chat),
      ...messages.map((message) => tx.objectStore('messages').put(message)),
      tx.done,
    ]);
  }

  async removeMessages(ids: Iterable<string>): Promise<void> {
    const tx = this.#db.transaction('messages', 'readwrite');
    await Promise.all([...[...ids].map((id) => tx.store.delete(id)), tx.done]);
  }

  async remove(chat: string): Promise<void> {
    const tx = this.#db.transaction(['chats', 'messages'], 'readwrite');
    const ids = await tx.objectStore('messages').index('chat').getAllKeys(chat);
    await Promise.all([
      tx.objectStore('chats').delete(chat),
      ...ids.map((id) => tx.objectStore('messages').delete(id)),
      tx.done,
    ]);
  }

  async clear(): Promise<void> {
    const tx = this.#db.transaction(['chats', 'messages'], 'readwrite');
    await Promise.all([tx.objectStore('chats').clear(), tx.objectStore('messages').clear(), tx.done]);
  }

  /** Everything, or only `chat`. */
  async bundles(only?: string): Promise<Bundle[]> {
    const chats = (await this.chats()).filter(({ id }) => only === undefined || id === only);
    return Promise.all(chats.map(async (chat) => ({ chat, messages: await this.messages(chat.id) })));
  }

  /** Adds the chats that are not there yet, all or none. Returns how many those were. */
  async add(bundles: readonly Bundle[]): Promise<number> {
    const tx = this.#db.transaction(['chats', 'messages'], 'readwrite');
    const there = new Set(await tx.objectStore('chats').getAllKeys());
    const fresh = bundles.filter(({ chat }) => !there.has(chat.id));
    const puts = fresh.flatMap(({ chat, messages }) => [
      tx.objectStore('chats').put(chat),
      ...messages.map((message) => tx.objectStore('messages').put(message)),
    ]);
    await Promise.all([...puts, tx.done]);
    return fresh.length;
  }

  /** The chats in whose title or messages `query` stands. */
  async search(query: string): Promise<Hit[]> {
    const finder = new Finder(query);
    const tx = this.#db.transaction(['chats', 'messages']);
    for (const chat of await tx.objectStore('chats').getAll()) finder.title(chat);
    for (let at = await tx.objectStore('messages').openCursor(); at; at = await at.continue()) finder.message(at.value);
    return finder.hits();
  }
}
