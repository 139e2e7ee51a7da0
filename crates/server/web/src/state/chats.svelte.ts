// All chats, and the one on view with its branches and answers.
import { SvelteMap } from 'svelte/reactivity';
import { newId } from '../lib/browser.ts';
import { Database } from '../lib/db.ts';
import { titleFrom } from '../lib/format.ts';
import { chatRequest } from '../lib/request.ts';
import { leafWithout, newestLeaf, pathTo, subtree } from '../lib/tree.ts';
import type { Attachment, Chat, Message, Role } from '../lib/types.ts';
import { Answer } from './answer.svelte.ts';
import { server } from './server.svelte.ts';
import { settings } from './settings.svelte.ts';
import { ui } from './ui.svelte.ts';

class Chats {
  list = $state<Chat[]>([]);
  /** The chat on view. One that is new stands in no list until something is said. */
  chat = $state<Chat>(newChat());
  messages = $state<Message[]>([]);
  path = $derived(pathTo(this.messages, this.chat.leaf));
  /** The answers under way, each in its chat; they go on when another chat is looked at. */
  answers = new SvelteMap<string, Answer>();
  answer = $derived(this.answers.get(this.chat.id) ?? null);
  model = $derived(server.find(this.chat.model) ?? server.standard);
  /** Nothing is kept: the browser has no database for us. */
  forgetful = $state(false);
  #db: Database | null = null;
  #last = 0;

  async start(): Promise<void> {
    try {
      this.#db = await Database.open();
      this.list = await this.#db.chats();
    } catch {
      this.forgetful = true;
    }
  }

  get database(): Database | null {
    return this.#db;
  }

  /** Takes in what was imported. Chats that stand in the list already stay the objects they are. */
  async reload(): Promise<void> {
    const known = new Set(this.list.map(({ id }) => id));
    const stored = (await this.#db?.chats()) ?? [];
    this.list.push(...stored.filter(({ id }) => !known.has(id)));
  }

  fresh(): void {
    this.chat = newChat();
    this.messages = [];
  }

  /** Shows the chat `id`. Returns whether there is one. */
  async open(id: string): Promise<boolean> {
    const chat = this.list.find((each) => each.id === id);
    if (!chat) return false;
    const stored = (await this.#db?.messages(id)) ?? [];
    this.chat = chat;
    // An answer under way grows in its own object, which must be the one on view.
    const running = this.answers.get(id)?.message;
    this.messages = stored.map((message) => (message.id === running?.id ? running : settled(message)));
    return true;
  }

  /** Shows the new title once it is kept. */
  async rename(chat: Chat, title: string): Promise<void> {
    const wanted = title.trim() || chat.title;
    await this.#db?.put({ ...$state.snapshot(chat), title: wanted });
    chat.title = wanted;
  }

  async remove(id: string): Promise<void> {
    this.answers.get(id)?.stop();
    this.list = this.list.filter((chat) => chat.id !== id);
    if (this.chat.id === id) this.fresh();
    await this.#db?.remove(id);
  }

  async removeAll(): Promise<void> {
    for (const answer of this.answers.values()) answer.stop();
    this.list = [];
    this.fresh();
    await this.#db?.clear();
  }

  /** Writes the chat down, once something was said in it. */
  async save(chat: Chat = this.chat, messages: readonly Message[] = []): Promise<void> {
    if (!this.list.some(({ id }) => id === chat.id)) return;
    try {
      await this.#db?.put($state.snapshot(chat), $state.snapshot(messages) as Message[]);
    } catch (error) {
      // Out of space, for one. The chat goes on, and the reader can still export it.
      ui.tell(`The browser could not keep this chat: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Asks, below the end of the branch on view, or as a second version of `instead`. */
  async ask(content: string, attachments: readonly Attachment[], instead?: Message): Promise<void> {
    const parent = instead ? instead.parent : this.chat.leaf;
    if (this.messages.length === 0) {
      this.chat.title = titleFrom(content || (attachments[0]?.name ?? ''));
      this.list.push(this.chat);
    }
    const question = this.#add('user', parent, { content });
    if (attachments.length > 0) question.attachments = $state.snapshot(attachments) as Attachment[];
    await this.save(this.chat, [question]);
    await this.#answer(this.#add('assistant', question.id, {}));
  }

  /** A second answer beside `message`. */
  async again(message: Message): Promise<void> {
    await this.#answer(this.#add('assistant', message.parent, {}));
  }

  /** Lets the answer `message` go on where it ended. */
  async goOn(message: Message): Promise<void> {
    this.chat.leaf = message.id;
    await this.#answer(message);
  }

  /** Failed: asked once more, in its place. */
  async retry(message: Message): Promise<void> {
    if (message.content !== '') return this.goOn(message);
    delete message.reasoning;
    await this.#answer(message);
  }

  show(message: Message): void {
    this.chat.leaf = newestLeaf(this.messages, message.id);
    void this.save();
  }

  async removeMessage(message: Message): Promise<void> {
    const gone = subtree(this.messages, message.id);
    this.chat.leaf = leafWithout(this.messages, message);
    this.messages = this.messages.filter(({ id }) => !gone.has(id));
    await this.#db?.removeMessages(gone);
    await this.save();
  }

  #add(role: Role, parent: string | null, rest: Partial<Message>): Message {
    // Siblings are ordered by time, and two messages can be made within a millisecond.
    this.#last = Math.max(Date.now(), this.#last + 1);
    const message = { id: newId(), chat: this.chat.id, parent, role, content: '', created: this.#last };
    this.messages.push({ ...message, ...rest });
    this.chat.leaf = message.id;
    return this.messages.at(-1) as Message;
  }

  async #answer(message: Message): Promise<void> {
    const { chat, model } = this;
    delete message.failure;
    message.end = 'running';
    message.model = model?.id ?? message.model;
    chat.updated = Date.now();
    chat.model = model?.id ?? chat.model;
    const path = pathTo(this.messages, message.id);
    const request = chatRequest($state.snapshot(chat), model?.id ?? '', $state.snapshot(path) as Message[]);
    const answer = new Answer(message);
    this.answers.set(chat.id, answer);
    await this.save(chat, [message]);
    await answer.run(request, (grown) => this.save(chat, [grown]));
    this.answers.delete(chat.id);
  }
}

/** An answer that was running when the page closed runs no more. */
function settled(message: Message): Message {
  return message.end === 'running' ? { ...message, end: 'stopped' } : message;
}

function newChat(): Chat {
  const now = Date.now();
  const { system, sampling } = settings;
  return {
    id: newId(),
    title: 'New chat',
    system,
    sampling: { ...sampling },
    model: null,
    leaf: null,
    created: now,
    updated: now,
  };
}

export const chats = new Chats();
