// The fields of the sampler panel: what they are called, what they take, what becomes of their text.
import type { Sampling } from './types.ts';

type NumberKey = Exclude<keyof Sampling, 'stop'>;

export interface Field {
  key: NumberKey;
  label: string;
  hint: string;
  min: number;
  max: number;
  integer?: boolean;
}

export const FIELDS: readonly Field[] = [
  { key: 'temperature', label: 'Temperature', hint: '0 always takes the likeliest token', min: 0, max: 2 },
  { key: 'top_p', label: 'Top p', hint: 'Share of the probability to choose from', min: 0, max: 1 },
  { key: 'top_k', label: 'Top k', hint: 'How many tokens to choose from; 0 for all', min: 0, max: 1e6, integer: true },
  { key: 'min_p', label: 'Min p', hint: 'Least probability, relative to the likeliest', min: 0, max: 1 },
  { key: 'repeat_penalty', label: 'Repeat penalty', hint: '1 is none', min: 0.01, max: 2 },
  { key: 'seed', label: 'Seed', hint: 'Same seed, same answer', min: 0, max: 0xffff_ffff, integer: true },
  { key: 'max_tokens', label: 'Max tokens', hint: 'Where an answer is cut off', min: 1, max: 1e6, integer: true },
];

export type Parsed = { value: number | undefined } | { problem: string };

/** The number in `text`, nothing for an empty text, or why it is not taken. */
export function parseField(field: Field, text: string): Parsed {
  const trimmed = text.trim().replace(',', '.');
  if (trimmed === '') return { value: undefined };
  const value = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(trimmed) ? Number(trimmed) : Number.NaN;
  if (Number.isNaN(value)) return { problem: 'This is not a number' };
  if (field.integer && !Number.isInteger(value)) return { problem: 'Whole numbers only' };
  if (value < field.min || value > field.max) return { problem: `From ${field.min} to ${field.max}` };
  return { value };
}

/** Stop texts, one a line; `\n` and `\t` stand for a line end and a tab. */
export function parseStop(text: string): string[] {
  const unescape = (line: string) =>
    line.replace(/\\([nt\\])/g, (_, letter: string) => ({ n: '\n', t: '\t' })[letter] ?? letter);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(unescape);
}

/** The text that `parseStop` reads back. */
export function formatStop(stop: readonly string[] = []): string {
  const escape = (text: string) =>
    text.replace(/[\\\n\t]/g, (letter) => ({ '\n': '\\n', '\t': '\\t' })[letter] ?? `\\${letter}`);
  return stop.map(escape).join('\n');
}

/** What a request carries: only what was set. */
export function toRequest(sampling: Sampling): Record<string, unknown> {
  const set = Object.entries(sampling).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(set);
}

/** How many settings differ from the server's. */
export function countSet(sampling: Sampling): number {
  return Object.keys(toRequest(sampling)).length;
}

/** The server's own default of `key`, as text for an empty field. llama.cpp calls `max_tokens` `n_predict`. */
export function defaultOf(key: string, params: Record<string, unknown> | undefined): string {
  const value = params?.[key] ?? (key === 'max_tokens' ? params?.n_predict : undefined);
  if (typeof value !== 'number') return 'server default';
  if (key === 'seed') return 'random';
  if (key === 'max_tokens' && value < 0) return 'no limit';
  return String(Math.round(value * 1000) / 1000);
}
