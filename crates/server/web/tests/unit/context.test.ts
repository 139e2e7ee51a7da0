import { expect, test } from 'vitest';
import { fill, speed, usedTokens, withReport } from '../../src/lib/context.ts';
import type { Message } from '../../src/lib/types.ts';

test('usage counts the whole prompt, timings what was computed', () => {
  const timings = { prompt_n: 10, cache_n: 90, predicted_n: 5, predicted_ms: 250 };
  expect(withReport({}, { timings })).toMatchObject({ prompt: 100, cached: 90, predicted: 5 });
  const usage = { prompt_tokens: 101, completion_tokens: 6, prompt_tokens_details: { cached_tokens: 91 } };
  expect(withReport({}, { timings, usage })).toMatchObject({ prompt: 101, cached: 91, predicted: 6 });
});

test('what a later report leaves out stays', () => {
  expect(withReport({ prompt: 7, perSecond: 3 }, { usage: { completion_tokens: 2 } })).toEqual({ prompt: 7, perSecond: 3, predicted: 2 });
  expect(withReport({ prompt: 7 }, { usage: null, timings: { prompt_n: -1 } })).toEqual({ prompt: 7 });
});

test('speed is what the server says, or follows', () => {
  expect(speed({ perSecond: 12, predicted: 1, predictedMs: 1 })).toBe(12);
  expect(speed({ predicted: 5, predictedMs: 250 })).toBe(20);
  expect(speed({ predicted: 5 })).toBeUndefined();
});

test('the last answer that was counted says how full the context is', () => {
  const message = (stats?: object) => ({ role: 'assistant', stats }) as Message;
  expect(usedTokens([message({ prompt: 5, predicted: 2 }), message({ prompt: 9, predicted: 4 }), message()])).toBe(13);
  expect(usedTokens([message()])).toBe(0);
  expect(fill(13, 26)).toBe(0.5);
  expect(fill(30, 26)).toBe(1);
  expect(fill(30, undefined)).toBeUndefined();
});
