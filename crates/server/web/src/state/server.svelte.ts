// What the server is and has: health, models, defaults.
import * as api from '../lib/api.ts';
import { ApiError, describe } from '../lib/failure.ts';
import type { Failure } from '../lib/types.ts';
import { settings } from './settings.svelte.ts';

/** How often we look again while something is loading or the server is away. */
const SOON_MS = 2000;
/** After so long a server has begun what it was asked for. */
const LOOK_MS = 200;

class Server {
  health = $state<api.Health | 'unknown'>('unknown');
  models = $state<api.ModelInfo[]>([]);
  props = $state<api.Props>({});
  failure = $state<Failure | null>(null);
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** The server wants a key that it was not given. */
  locked = $derived(this.failure?.status === 401);
  /** The model that a chat without one is answered by: the one chosen last, or a loaded one, or the first. */
  standard = $derived(
    this.find(settings.model) ?? this.models.find(({ state }) => state === 'loaded') ?? this.models[0] ?? null,
  );

  find(id: string | null): api.ModelInfo | null {
    return this.models.find((model) => model.id === id) ?? null;
  }

  /** The context that a chat with `model` has. */
  ctxOf(model: api.ModelInfo | null): number | undefined {
    return model?.ctx ?? this.props.ctx;
  }

  /** Looks again, now and as long as something is in the making. */
  async refresh(): Promise<void> {
    const turn = ++this.#turn;
    clearTimeout(this.#timer);
    this.health = await api.health();
    if (this.health === 'ok') await this.#ask();
    // Who looked later goes on looking.
    if (turn !== this.#turn) return;
    if (this.health !== 'ok' || this.models.some(({ state }) => state === 'loading')) {
      this.#timer = setTimeout(() => void this.refresh(), SOON_MS);
    }
  }

  /** Lets a model be loaded while the reader still types. A server that cannot do that loads it with the question. */
  async load(model: string): Promise<void> {
    const loading = api.load(model, settings.key).catch(() => undefined);
    // Some servers answer at once, others when it is done: look in between.
    setTimeout(() => void this.refresh(), LOOK_MS);
    await loading;
    await this.refresh();
  }

  async #ask(): Promise<void> {
    try {
      this.models = await api.models(settings.key);
      this.failure = null;
    } catch (error) {
      this.failure = describe(error);
      return;
    }
    try {
      this.props = await api.props(settings.key);
    } catch (error) {
      // Servers without `/props` exist; what it tells is then simply not shown.
      if (!(error instanceof ApiError)) this.failure = describe(error);
    }
  }
}

export const server = new Server();
