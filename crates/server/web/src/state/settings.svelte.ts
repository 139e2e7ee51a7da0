// What is set once for this browser: theme, key, defaults of new chats. Kept in local storage.
import type { Sampling } from '../lib/types.ts';

export type Theme = 'system' | 'light' | 'dark';
export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

const NAME = 'ingle.settings';

class Settings {
  theme = $state<Theme>('system');
  key = $state('');
  model = $state<string | null>(null);
  system = $state('');
  sampling = $state<Sampling>({});
  sidebar = $state(true);

  constructor() {
    const kept = read();
    if (THEMES.includes(kept.theme as Theme)) this.theme = kept.theme as Theme;
    if (typeof kept.key === 'string') this.key = kept.key;
    if (typeof kept.model === 'string') this.model = kept.model;
    if (typeof kept.system === 'string') this.system = kept.system;
    if (typeof kept.sampling === 'object' && kept.sampling) this.sampling = kept.sampling as Sampling;
    if (typeof kept.sidebar === 'boolean') this.sidebar = kept.sidebar;
  }

  /** Writes down whatever changes, and lets the theme show. Called once, from a component. */
  watch(): void {
    $effect(() => {
      const { theme, key, model, system, sampling, sidebar } = this;
      write({ theme, key, model, system, sampling: $state.snapshot(sampling), sidebar });
    });
    $effect(() => {
      document.documentElement.dataset.theme = this.theme;
    });
  }
}

function read(): Record<string, unknown> {
  try {
    return (JSON.parse(localStorage.getItem(NAME) ?? '{}') as Record<string, unknown> | null) ?? {};
  } catch {
    return {};
  }
}

function write(value: object): void {
  try {
    localStorage.setItem(NAME, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing still chats.
  }
}

export const settings = new Settings();
