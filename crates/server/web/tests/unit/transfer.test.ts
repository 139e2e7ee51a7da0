import { expect, test } from 'vitest';
import { exportText, ImportError, parseExport } from '../../src/lib/transfer.ts';
import type { Bundle } from '../../src/lib/transfer.ts';

const bundle: Bundle = {
  chat: {
    id: 'c1', title: 'Boats', system: 'Be brief.', sampling: { temperature: 0.5, stop: ['\n\n'] }, model: 'm',
    leaf: 'a2', created: 1, updated: 2,
  },
  messages: [
    { id: 'q', chat: 'c1', parent: null, role: 'user', content: 'Why?', created: 1, attachments: [{ name: 'a.txt', text: 'A' }] },
    { id: 'a1', chat: 'c1', parent: 'q', role: 'assistant', content: 'So.', created: 2, reasoning: 'hm', end: 'stop', stats: { prompt: 3, perSecond: 4.5 } },
    { id: 'a2', chat: 'c1', parent: 'q', role: 'assistant', content: '', created: 3, end: 'failed', failure: { title: 'T', detail: 'D', status: 500 } },
  ],
};
const text = exportText([bundle], 0);

test('what was exported comes back', () => {
  expect(parseExport(text)).toEqual([bundle]);
  expect(JSON.parse(text)).toMatchObject({ format: 'ingle-chats', version: 1, exported: '1970-01-01T00:00:00.000Z' });
});

test('an answer out of a file does not run', () => {
  const running = text.replace('"end": "stop"', '"end": "running"');
  expect(parseExport(running)[0]?.messages[1]?.end).toBe('stopped');
});

/** Each takes the exported object and breaks it. */
const broken: [string, RegExp, (file: any) => void][] = [
  ['another format', /not an export/, (file) => { file.format = 'x'; }],
  ['a later version', /version 2/, (file) => { file.version = 2; }],
  ['no chats', /`chats` is no list/, (file) => { delete file.chats; }],
  ['a chat without an id', /`chats\[0\]\.id` is no text/, (file) => { delete file.chats[0].id; }],
  ['a system prompt that is a number', /`chats\[0\]\.system`/, (file) => { file.chats[0].system = 1; }],
  ['a temperature that is a text', /`chats\[0\]\.sampling\.temperature` is no number/, (file) => { file.chats[0].sampling.temperature = '1'; }],
  ['a foreign role', /`chats\[0\]\.messages\[0\]\.role`/, (file) => { file.chats[0].messages[0].role = 'system'; }],
  ['a foreign end', /`chats\[0\]\.messages\[1\]\.end`/, (file) => { file.chats[0].messages[1].end = 'x'; }],
  ['a parent that is not there', /names no message/, (file) => { file.chats[0].messages[1].parent = 'z'; }],
  ['a circle', /circle/, (file) => { file.chats[0].messages[0].parent = 'a1'; }],
  ['a leaf that is not there', /`chats\[0\]\.leaf`/, (file) => { file.chats[0].leaf = 'z'; }],
  ['a message twice', /Two messages/, (file) => { file.chats[0].messages[2].id = 'a1'; file.chats[0].leaf = 'q'; }],
  ['a chat twice', /Two chats/, (file) => { file.chats.push({ ...file.chats[0], messages: [], leaf: null }); }],
  ['an attachment without a text', /`chats\[0\]\.messages\[0\]\.attachments\[0\]\.text`/, (file) => { delete file.chats[0].messages[0].attachments[0].text; }],
];
test.each(broken)('%s is refused, by name', (_, message, breakIt) => {
  const file = JSON.parse(text);
  breakIt(file);
  expect(() => parseExport(JSON.stringify(file))).toThrowError(ImportError);
  expect(() => parseExport(JSON.stringify(file))).toThrowError(message);
});

test('what is not JSON is refused', () => {
  for (const wrong of ['', '{', 'null', '[]', '1']) expect(() => parseExport(wrong)).toThrowError(ImportError);
});
