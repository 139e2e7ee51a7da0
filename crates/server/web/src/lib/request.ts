// A branch of a chat as the body of `POST v1/chat/completions`.
import { withAttachments } from './attachments.ts';
import { toRequest } from './sampling.ts';
import type { Chat, Message } from './types.ts';

/**
 * `path` ends with a question, or with an answer that is to go on.
 *
 * Reasoning is left out: templates drop that of former turns themselves, or expect it gone.
 */
export function chatRequest(chat: Pick<Chat, 'system' | 'sampling'>, model: string, path: readonly Message[]) {
  const messages: { role: string; content: string }[] = path
    .filter((message) => message.role === 'user' || message.content !== '')
    .map(({ role, content, attachments }) => ({ role, content: withAttachments(content, attachments) }));
  if (chat.system.trim() !== '') messages.unshift({ role: 'system', content: chat.system });
  const goesOn = messages.at(-1)?.role === 'assistant';
  return {
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
    timings_per_token: true,
    ...(goesOn && { continue_final_message: true, add_generation_prompt: false }),
    ...toRequest(chat.sampling),
  };
}
