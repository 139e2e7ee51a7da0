// Errors of the server and of the network, told so that the reader knows what to do next.
import type { Failure } from './types.ts';

/** A request that failed. `message` is the server's own sentence. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number | undefined = undefined,
    readonly code: string | undefined = undefined,
    /** Seconds after which the server asks to try again. */
    readonly retryAfter: number | undefined = undefined,
  ) {
    super(message);
  }
}

/** The error in a body of any of the shapes servers use; the status where there is none. */
export function errorFrom(body: unknown, status?: number, retryAfter?: number): ApiError {
  const error = (body as { error?: unknown } | null)?.error;
  if (typeof error === 'string') return new ApiError(error, status, undefined, retryAfter);
  const { message, type, code } = (error ?? {}) as Record<string, unknown>;
  const text = typeof message === 'string' && message ? message : `The server answered with status ${status ?? '?'}.`;
  const name = [code, type].find((value) => typeof value === 'string' && value !== '') as string | undefined;
  return new ApiError(text, status ?? (typeof code === 'number' ? code : undefined), name, retryAfter);
}

const CONTEXT = new Set(['context_length_exceeded', 'exceed_context_size_error']);

/** `error` as a headline and a detail. */
export function describe(error: unknown): Failure {
  if (!(error instanceof ApiError)) {
    const detail = error instanceof Error ? error.message : String(error);
    return error instanceof TypeError
      ? { title: 'The server cannot be reached', detail: 'Is it still running? Your message is kept; try again.' }
      : { title: 'Something went wrong in this page', detail };
  }
  const { message, status, code } = error;
  return { title: headline(error), detail: message, ...(status && { status }), ...(code && { code }) };
}

function headline({ status, code, retryAfter }: ApiError): string {
  const wait = retryAfter ? `; try again in ${retryAfter} s` : '';
  if (code && CONTEXT.has(code)) return 'This chat is longer than the model’s context';
  if (status === 401) return 'This server asks for a key';
  if (status === 403) return 'The server refuses this page';
  if (status === 404) return 'The server does not have this model';
  if (status === 413) return 'The message is too large';
  if (status === 429) return `The server is busy${wait}`;
  if (status === 503) return `The model is not ready yet${wait}`;
  if (status === undefined) return 'The answer broke off';
  return status < 500 ? 'The server does not take this request' : 'The server failed';
}
