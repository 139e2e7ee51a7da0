import { expect, test } from 'vitest';
import { decode, MAX_FILE, MAX_FILES, take, withAttachments } from '../../src/lib/attachments.ts';
import { chatRequest } from '../../src/lib/request.ts';
import { defaultOf, FIELDS, formatStop, parseField, parseStop, toRequest } from '../../src/lib/sampling.ts';
import type { Message } from '../../src/lib/types.ts';

const say = (role: 'user' | 'assistant', content: string) => ({ role, content }) as Message;
const field = (key: string) => FIELDS.find((each) => each.key === key)!;

test('a request holds the branch and only the settings that were made', () => {
  const request = chatRequest({ system: ' ', sampling: { top_k: 0, stop: [] } }, 'm', [say('user', 'Hi'), say('assistant', '')]);
  expect(request).toEqual({
    model: 'm', messages: [{ role: 'user', content: 'Hi' }], stream: true, stream_options: { include_usage: true },
    timings_per_token: true, top_k: 0,
  });
});

test('a system prompt comes first, an answer at the end goes on', () => {
  const request = chatRequest({ system: 'Be brief.', sampling: {} }, 'm', [say('user', 'Hi'), say('assistant', 'Hel')]);
  expect(request.messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant']);
  expect(request).toMatchObject({ continue_final_message: true, add_generation_prompt: false });
});

test('settings are read strictly', () => {
  expect(parseField(field('temperature'), ' 0,7 ')).toEqual({ value: 0.7 });
  expect(parseField(field('temperature'), '')).toEqual({ value: undefined });
  for (const wrong of ['x', '1e2', '3', '-1', 'NaN', 'Infinity', '0x1']) expect(parseField(field('temperature'), wrong)).toHaveProperty('problem');
  expect(parseField(field('top_k'), '1.5')).toHaveProperty('problem');
  expect(toRequest({ temperature: 0, seed: undefined })).toEqual({ temperature: 0 });
});

test('stop texts survive the way into the field and back', () => {
  const stop = ['\n\n', 'a\\nb', '\t', 'end '];
  expect(parseStop(formatStop(stop))).toEqual(stop);
  expect(parseStop('\n\n')).toEqual([]);
});

test('defaults are told as the server has them', () => {
  const params = { temperature: 0.800000011920929, seed: 0, n_predict: -1, top_k: 40 };
  expect(['temperature', 'seed', 'max_tokens', 'top_k', 'min_p'].map((key) => defaultOf(key, params))).toEqual([
    '0.8', 'random', 'no limit', '40', 'server default',
  ]);
  expect(defaultOf('max_tokens', { n_predict: 256 })).toBe('256');
  expect(defaultOf('top_p', undefined)).toBe('server default');
});

test('a file is fenced so that nothing in it ends the fence', () => {
  expect(withAttachments('Why?', [{ name: 'a.rs', text: 'fn f() {}\n' }])).toBe('File `a.rs`:\n\n```rs\nfn f() {}\n```\n\nWhy?');
  expect(withAttachments('', [{ name: 'a', text: '```\n````' }])).toBe('File `a`:\n\n`````\n```\n````\n`````');
  expect(withAttachments('Hi')).toBe('Hi');
});

test('files are taken up to the bounds, and the rest is named', async () => {
  const file = (name: string, size: number) => new File(['x'.repeat(size)], name);
  const { attachments, problems } = await take([file('ok.txt', MAX_FILE), file('big.txt', MAX_FILE + 1)], []);
  expect(attachments.map(({ name }) => name)).toEqual(['ok.txt']);
  expect(problems).toEqual([expect.stringMatching(/^big\.txt: 256 KiB, at most 256 KiB/)]);
  const five = Array.from({ length: 5 }, (_, n) => file(`${n}`, MAX_FILE));
  expect((await take(five, [])).problems).toHaveLength(1);
  const many = Array.from({ length: MAX_FILES + 1 }, (_, n) => file(`${n}`, 1));
  expect((await take(many, [])).problems).toEqual([expect.stringContaining('no more than 10')]);
  expect((await take([new File([new Uint8Array([0xff, 0xfe])], 'x.bin')], [])).problems).toEqual(['x.bin: not a text file']);
});

test('only text is text', () => {
  const bytes = (...all: number[]) => new Uint8Array(all).buffer;
  expect(decode(bytes(0x61, 0x0d, 0x0a))).toBe('a\n');
  expect(decode(bytes(0x61, 0))).toBeNull();
  expect(decode(bytes(0xc3))).toBeNull();
});
