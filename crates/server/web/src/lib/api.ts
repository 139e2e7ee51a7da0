// The server's endpoints. Every address is relative to the page, so that a path prefix works.
import type { Report } from './context.ts';
import { ApiError, errorFrom } from './failure.ts';
import { SseParser } from './sse.ts';

export type LoadState = 'loaded' | 'loading' | 'unloaded' | 'failed';

export interface ModelInfo {
  id: string;
  state?: LoadState;
  ctx?: number;
}

export interface Props {
  ctx?: number;
  params?: Record<string, unknown>;
  alias?: string;
}

/** One step of an answer. */
export interface Delta extends Report {
  content?: string;
  reasoning?: string;
  finish?: string;
  model?: string;
}

export type Health = 'ok' | 'loading' | 'away';

const at = (path: string) => new URL(path, document.baseURI);

function headers(key: string, body = false): Record<string, string> {
  return {
    ...(key !== '' && { Authorization: `Bearer ${key}` }),
    ...(body && { 'Content-Type': 'application/json' }),
  };
}

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response;
  const retry = Number(response.headers.get('Retry-After') ?? Number.NaN);
  const body: unknown = await response.json().catch(() => null);
  throw errorFrom(body, response.status, Number.isFinite(retry) ? retry : undefined);
}

async function getJson(path: string, key: string): Promise<Record<string, unknown>> {
  const response = await checked(await fetch(at(path), { headers: headers(key) }));
  return (await response.json()) as Record<string, unknown>;
}

export async function health(): Promise<Health> {
  const response = await fetch(at('health')).catch(() => null);
  if (!response) return 'away';
  return response.ok ? 'ok' : response.status === 503 ? 'loading' : 'away';
}

export async function models(key: string): Promise<ModelInfo[]> {
  const { data } = await getJson('v1/models', key);
  const entries = Array.isArray(data) ? (data as Record<string, any>[]) : [];
  return entries
    .filter(({ id }) => typeof id === 'string')
    .map(({ id, status, meta }) => ({ id, state: status?.value, ctx: positive(meta?.n_ctx) }));
}

export async function props(key: string): Promise<Props> {
  const { default_generation_settings: settings, model_alias } = (await getJson('props', key)) as Record<string, any>;
  const alias = typeof model_alias === 'string' && model_alias !== '' ? model_alias : undefined;
  return { ctx: positive(settings?.n_ctx), params: settings?.params, alias };
}

/** Asks the server to load a model. */
export async function load(model: string, key: string): Promise<void> {
  const body = JSON.stringify({ model });
  await checked(await fetch(at('models/load'), { method: 'POST', body, headers: headers(key, true) }));
}

/** The answer to `request`, piece by piece. Throws an `ApiError`, also for a stream that ends without an end. */
export async function* stream(request: object, key: string, signal: AbortSignal): AsyncGenerator<Delta> {
  const init = { method: 'POST', body: JSON.stringify(request), headers: headers(key, true), signal };
  const { body } = await checked(await fetch(at('v1/chat/completions'), init));
  if (!body) throw new ApiError('The server sent no answer.');
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new SseParser();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      for (const { data } of parser.push(value)) {
        if (data === '[DONE]') return;
        const delta = parseDelta(data);
        ended ||= delta.finish !== undefined;
        yield delta;
      }
    }
  } finally {
    // Whoever leaves early, by a stop or by an error, closes the connection: the server then stops computing.
    void reader.cancel().catch(() => undefined);
  }
  if (!ended) throw new ApiError('The connection closed before the answer was complete.');
}

/** What one event says. Throws what it says went wrong. */
export function parseDelta(data: string): Delta {
  let event: Record<string, any>;
  try {
    event = JSON.parse(data);
  } catch {
    throw new ApiError('The server sent something that is not JSON.');
  }
  if (event.error) throw errorFrom(event);
  const choice = event.choices?.[0];
  const { content, reasoning_content } = choice?.delta ?? {};
  return {
    ...(content && { content }),
    ...(reasoning_content && { reasoning: reasoning_content }),
    ...(choice?.finish_reason && { finish: choice.finish_reason }),
    ...(event.model && { model: event.model }),
    ...(event.usage && { usage: event.usage }),
    ...(event.timings && { timings: event.timings }),
  };
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}
