import { expect, test } from 'vitest';
import { parseDelta } from '../../src/lib/api.ts';
import { ApiError, describe as told, errorFrom } from '../../src/lib/failure.ts';
import { byAge, titleFrom } from '../../src/lib/format.ts';
import { Finder } from '../../src/lib/search.ts';
import { nextUtterance } from '../../src/lib/speech.ts';
import type { Chat } from '../../src/lib/types.ts';

test('errors of every shape are understood', () => {
  const openai = errorFrom({ error: { message: 'no such model', type: 'invalid_request_error', code: 'model_not_found' } }, 404);
  expect(openai).toMatchObject({ message: 'no such model', code: 'model_not_found', status: 404 });
  expect(errorFrom({ error: { code: 503, message: 'Loading model', type: 'unavailable_error' } })).toMatchObject({ status: 503, code: 'unavailable_error' });
  expect(errorFrom({ error: 'plain' }, 400).message).toBe('plain');
  expect(errorFrom(null, 502).message).toContain('502');
});

test('each kind of failure has a headline of its own', () => {
  const statuses = [401, 403, 404, 413, 422, 429, 500, 503, undefined];
  const titles = statuses.map((status) => told(new ApiError('m', status)).title);
  expect(new Set(titles).size).toBe(statuses.length);
  expect(told(new ApiError('m', 400, 'exceed_context_size_error')).title).toContain('context');
  expect(told(new ApiError('m', 429, undefined, 3)).title).toContain('3 s');
  expect(told(new TypeError('fetch failed')).title).toContain('cannot be reached');
});

test('an event is taken apart', () => {
  expect(parseDelta('{"model":"m","choices":[{"delta":{"content":"a","reasoning_content":"b"},"finish_reason":"length"}]}')).toEqual({ content: 'a', reasoning: 'b', finish: 'length', model: 'm' });
  expect(parseDelta('{"choices":[],"usage":{"prompt_tokens":1}}')).toEqual({ usage: { prompt_tokens: 1 } });
  expect(() => parseDelta('{"error":{"message":"out of memory","code":500}}')).toThrowError('out of memory');
  expect(() => parseDelta('{')).toThrowError(ApiError);
});

test('a voice hears whole sentences, and the rest at the end', () => {
  const first = nextUtterance('**One.** Two. Thr', 0, false);
  expect(first).toEqual({ say: 'One. Two.', spoken: 13 });
  expect(nextUtterance('**One.** Two. Three', first.spoken, true)).toEqual({ say: 'Three', spoken: 19 });
  expect(nextUtterance('3.14159', 0, false).say).toBe('');
});

test('a title is the first line, cut between words', () => {
  expect(titleFrom('  Why is\tthe sky blue?\nAnd more')).toBe('Why is the sky blue?');
  const long = titleFrom('word '.repeat(30));
  expect(long.length).toBeLessThanOrEqual(61);
  expect(long).toMatch(/word…$/);
  expect(titleFrom(' \n')).toBe('New chat');
});

test('chats stand under their age', () => {
  const now = new Date(2026, 10, 20, 12).getTime();
  const chat = (days: number) => ({ id: `${days}`, updated: now - days * 86_400_000 }) as Chat;
  const groups = byAge([chat(400), chat(1), chat(0), chat(5), chat(20)], now);
  expect(groups.map(({ label }) => label)).toEqual(['Today', 'Yesterday', 'Last seven days', 'Last thirty days', 'Older']);
});

test('search finds all words, in any case, with or without accents', () => {
  const finder = new Finder('CAFÉ  rose');
  finder.title({ id: '1', title: 'Rose at the cafe' });
  finder.message({ chat: '2', content: `${'x '.repeat(40)}the Café of Rose` });
  finder.message({ chat: '3', content: 'only a rose' });
  expect(finder.hits().map(({ chat }) => chat)).toEqual(['1', '2']);
  expect(finder.hits()[1]?.snippet).toMatch(/^….*Café of Rose$/);
  expect(new Finder(' ').hits()).toEqual([]);
});
