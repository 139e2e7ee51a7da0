import 'fake-indexeddb/auto';
import { expect, test } from 'vitest';
import { Database } from '../../src/lib/db.ts';
import type { Chat, Message } from '../../src/lib/types.ts';

const chat = (id: string, title = id): Chat => ({ id, title, system: '', sampling: {}, model: null, leaf: null, created: 1, updated: 1 });
const message = (id: string, of: string, content: string): Message => ({ id, chat: of, parent: null, role: 'user', content, created: 1 });

test('chats are kept, found, removed with their messages, and not imported twice', async () => {
  const db = await Database.open('test');
  await db.put(chat('a', 'Boats'), [message('1', 'a', 'of wood')]);
  await db.put(chat('b', 'Trees'), [message('2', 'b', 'of wood too'), message('3', 'b', 'and leaves')]);
  expect((await db.messages('b')).map(({ id }) => id)).toEqual(['2', '3']);
  expect((await db.search('wood')).map((hit) => hit.chat)).toEqual(['a', 'b']);
  expect((await db.search('boats')).map((hit) => hit.chat)).toEqual(['a']);
  const all = await db.bundles();
  expect((await db.bundles('a')).map((each) => each.chat.id)).toEqual(['a']);
  await db.remove('b');
  expect(await db.messages('b')).toEqual([]);
  expect(await db.add(all)).toBe(1);
  expect(await db.add(all)).toBe(0);
  expect(await db.bundles()).toEqual(all);
  await db.clear();
  expect(await db.bundles()).toEqual([]);
});
