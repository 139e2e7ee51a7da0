// What the server tells about tokens and time, and how full the context is.
import type { Message, Stats } from './types.ts';

/** `usage` of the OpenAI dialect and `timings` of llama.cpp's, where there. */
export interface Report {
  usage?: {
    prompt_tokens?: number;
    completion_tokens?: number;
    prompt_tokens_details?: { cached_tokens?: number } | null;
  } | null;
  timings?: {
    prompt_n?: number;
    prompt_ms?: number;
    predicted_n?: number;
    predicted_ms?: number;
    predicted_per_second?: number;
    cache_n?: number;
  } | null;
}

/** `stats` with what `report` adds. `timings.prompt_n` counts only what was computed, `usage` the whole prompt. */
export function withReport(stats: Stats, { usage, timings }: Report): Stats {
  const told: Stats = {
    prompt: count(usage?.prompt_tokens) ?? sum(count(timings?.prompt_n), count(timings?.cache_n)),
    cached: count(usage?.prompt_tokens_details?.cached_tokens) ?? count(timings?.cache_n),
    predicted: count(usage?.completion_tokens) ?? count(timings?.predicted_n),
    promptMs: count(timings?.prompt_ms),
    predictedMs: count(timings?.predicted_ms),
    perSecond: count(timings?.predicted_per_second),
  };
  const known = Object.entries(told).filter(([, value]) => value !== undefined);
  return { ...stats, ...Object.fromEntries(known) };
}

/** Tokens per second of an answer, if the server told or if it follows from what it told. */
export function speed({ perSecond, predicted, predictedMs }: Stats): number | undefined {
  if (perSecond) return perSecond;
  return predicted && predictedMs ? (predicted * 1000) / predictedMs : undefined;
}

/** Tokens that the branch `path` takes: the last answer's prompt and the answer. */
export function usedTokens(path: readonly Message[]): number {
  const last = path.findLast((message) => message.stats?.prompt !== undefined);
  return (last?.stats?.prompt ?? 0) + (last?.stats?.predicted ?? 0);
}

/** 0 to 1; nothing if the size is not known. */
export function fill(used: number, size: number | undefined): number | undefined {
  return size && size > 0 ? Math.min(used / size, 1) : undefined;
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? undefined : a + (b ?? 0);
}
