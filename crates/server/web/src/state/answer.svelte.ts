// An answer under way.
import { stream, type Delta } from '../lib/api.ts';
import { withReport } from '../lib/context.ts';
import { describe } from '../lib/failure.ts';
import type { Message } from '../lib/types.ts';
import { server } from './server.svelte.ts';
import { settings } from './settings.svelte.ts';

/** How often a growing answer is written down, so that a closed page loses little. */
const SAVE_MS = 1000;
/** How often it grows: fast models write several tokens in the time of a picture. */
const GROW_MS = 33;

export class Answer {
  readonly message: Message;
  /** Before the first token the model reads. */
  phase = $state<'reading' | 'reasoning' | 'writing'>('reading');
  #abort = new AbortController();
  #saved = Date.now();
  #content = '';
  #reasoning = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(message: Message) {
    this.message = message;
  }

  stop(): void {
    this.#abort.abort();
  }

  /** Asks for `request` and lets the message grow. Never throws: a failure becomes part of the message. */
  async run(request: object, save: (message: Message) => Promise<void>): Promise<void> {
    const { message } = this;
    try {
      for await (const delta of stream(request, settings.key, this.#abort.signal)) {
        this.#take(delta);
        this.#timer ??= setTimeout(() => this.#grow(save), GROW_MS);
      }
      message.end = message.end === 'length' ? 'length' : 'stop';
    } catch (error) {
      if (this.#abort.signal.aborted) message.end = 'stopped';
      else {
        message.end = 'failed';
        message.failure = describe(error);
        // A key that was revoked, a server that went away: the rest of the page should know too.
        void server.refresh();
      }
    }
    clearTimeout(this.#timer);
    this.#grow();
    await save(message);
  }

  /** Moves what has come since the last time into the message. */
  #grow(save?: (message: Message) => Promise<void>): void {
    const { message } = this;
    this.#timer = undefined;
    if (this.#reasoning) message.reasoning = (message.reasoning ?? '') + this.#reasoning;
    if (this.#content) message.content += this.#content;
    this.#reasoning = this.#content = '';
    if (!save || Date.now() - this.#saved < SAVE_MS) return;
    this.#saved = Date.now();
    void save(message);
  }

  #take({ content, reasoning, finish, model, usage, timings }: Delta): void {
    const { message } = this;
    this.#reasoning += reasoning ?? '';
    this.#content += content ?? '';
    if (reasoning) this.phase = 'reasoning';
    if (content) this.phase = 'writing';
    if (finish === 'length') message.end = 'length';
    if (model) message.model = model;
    if (usage || timings) message.stats = withReport(message.stats ?? {}, { usage, timings });
  }
}
