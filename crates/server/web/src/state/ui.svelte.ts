// What is open, and what was just said to the reader.

export type Sheet = 'chat' | 'settings';

class Ui {
  /** The list of chats as a drawer, on narrow screens. */
  drawer = $state(false);
  sheet = $state<Sheet | null>(null);
  notice = $state('');
  #timer: ReturnType<typeof setTimeout> | undefined;

  tell(notice: string): void {
    clearTimeout(this.#timer);
    this.notice = notice;
    this.#timer = setTimeout(() => (this.notice = ''), 6000);
  }
}

export const ui = new Ui();
export const isNarrow = (): boolean => matchMedia('(max-width: 52rem)').matches;
