// Chats to a JSON file and back. A file is somebody else's until every field of it has been looked at.
import { pathTo } from './tree.ts';
import type { Attachment, Chat, End, Failure, Message, Sampling, Stats } from './types.ts';

export const FORMAT = 'ingle-chats';
export const VERSION = 1;
export const MAX_IMPORT = 64 * 1024 * 1024;

/** A chat with all its branches. */
export interface Bundle {
  chat: Chat;
  messages: Message[];
}

/** The text of an export. */
export function exportText(bundles: readonly Bundle[], now: number): string {
  const chats = bundles.map(({ chat, messages }) => ({
    ...chat,
    messages: messages.map(({ chat: _, ...message }) => message),
  }));
  return JSON.stringify({ format: FORMAT, version: VERSION, exported: new Date(now).toISOString(), chats }, null, 2);
}

/** Why a file is not taken, and where in it. */
export class ImportError extends Error {}

/**
 * The chats in `text`.
 *
 * Throws an `ImportError` that names the place of whatever is not as `exportText` writes it.
 */
export function parseExport(text: string): Bundle[] {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new ImportError('This file is not JSON.');
  }
  const root = object(file, 'the file');
  if (root.format !== FORMAT) throw new ImportError('This is not an export of chats from here.');
  if (root.version !== VERSION) throw new ImportError(`The file has version ${String(root.version)}; ${VERSION} is known.`);
  const bundles = list(root.chats, 'chats').map((chat, at) => bundle(chat, `chats[${at}]`));
  unique(bundles.map(({ chat }) => chat.id), 'chats');
  unique(bundles.flatMap(({ messages }) => messages.map(({ id }) => id)), 'messages');
  return bundles;
}

function bundle(value: unknown, at: string): Bundle {
  const from = object(value, at);
  const id = text(from.id, `${at}.id`);
  const messages = list(from.messages, `${at}.messages`).map((each, n) => message(each, id, `${at}.messages[${n}]`));
  const byId = new Map(messages.map((each) => [each.id, each]));
  messages.forEach(({ id: own, parent }, n) => {
    if (parent !== null && !byId.has(parent)) throw wrong(`${at}.messages[${n}].parent`, 'names no message of the chat');
    // A path from the root that does not begin at the root goes round in a circle.
    if (pathTo(messages, own)[0]?.parent !== null) throw wrong(`${at}.messages[${n}].parent`, 'leads round in a circle');
  });
  const leaf = optional(from.leaf, (it) => text(it, `${at}.leaf`)) ?? null;
  if (leaf !== null && !byId.has(leaf)) throw wrong(`${at}.leaf`, 'names no message of the chat');
  const chat: Chat = {
    id,
    title: text(from.title, `${at}.title`),
    system: text(from.system ?? '', `${at}.system`),
    sampling: sampling(from.sampling ?? {}, `${at}.sampling`),
    model: optional(from.model, (it) => text(it, `${at}.model`)) ?? null,
    leaf,
    created: number(from.created, `${at}.created`),
    updated: number(from.updated, `${at}.updated`),
  };
  return { chat, messages };
}

const ENDS: readonly End[] = ['stop', 'length', 'stopped', 'failed', 'running'];

function message(value: unknown, chat: string, at: string): Message {
  const from = object(value, at);
  const role = from.role;
  if (role !== 'user' && role !== 'assistant') throw wrong(`${at}.role`, 'is neither `user` nor `assistant`');
  const end = optional(from.end, (it) => {
    if (!ENDS.includes(it as End)) throw wrong(`${at}.end`, `is none of ${ENDS.join(', ')}`);
    // Nothing runs any more that comes out of a file.
    return it === 'running' ? 'stopped' : (it as End);
  });
  return withoutMissing({
    id: text(from.id, `${at}.id`),
    chat,
    parent: optional(from.parent, (it) => text(it, `${at}.parent`)) ?? null,
    role,
    content: text(from.content, `${at}.content`),
    created: number(from.created, `${at}.created`),
    reasoning: optional(from.reasoning, (it) => text(it, `${at}.reasoning`)),
    attachments: optional(from.attachments, (it) =>
      list(it, `${at}.attachments`).map((each, n) => attachment(each, `${at}.attachments[${n}]`)),
    ),
    model: optional(from.model, (it) => text(it, `${at}.model`)),
    stats: optional(from.stats, (it) => numbers(it, STATS, `${at}.stats`)),
    end,
    failure: optional(from.failure, (it) => failure(it, `${at}.failure`)),
  });
}

const STATS = ['prompt', 'cached', 'predicted', 'promptMs', 'predictedMs', 'perSecond'] as const satisfies (keyof Stats)[];
const SAMPLING = ['temperature', 'top_k', 'top_p', 'min_p', 'repeat_penalty', 'seed', 'max_tokens'] as const;

function sampling(value: unknown, at: string): Sampling {
  const stop = optional(object(value, at).stop, (it) => list(it, `${at}.stop`).map((each) => text(each, `${at}.stop`)));
  return withoutMissing({ ...numbers(value, SAMPLING, at), stop });
}

function attachment(value: unknown, at: string): Attachment {
  const from = object(value, at);
  return { name: text(from.name, `${at}.name`), text: text(from.text, `${at}.text`) };
}

function failure(value: unknown, at: string): Failure {
  const from = object(value, at);
  return withoutMissing({
    title: text(from.title, `${at}.title`),
    detail: text(from.detail, `${at}.detail`),
    status: optional(from.status, (it) => number(it, `${at}.status`)),
    code: optional(from.code, (it) => text(it, `${at}.code`)),
  });
}

function numbers<K extends string>(value: unknown, keys: readonly K[], at: string): Partial<Record<K, number>> {
  const from = object(value, at);
  const found = keys.filter((key) => from[key] !== undefined).map((key) => [key, number(from[key], `${at}.${key}`)]);
  return Object.fromEntries(found) as Partial<Record<K, number>>;
}

function object(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(at, 'is no object');
  return value as Record<string, unknown>;
}

function list(value: unknown, at: string): unknown[] {
  if (!Array.isArray(value)) throw wrong(at, 'is no list');
  return value;
}

function text(value: unknown, at: string): string {
  if (typeof value !== 'string') throw wrong(at, 'is no text');
  return value;
}

function number(value: unknown, at: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong(at, 'is no number');
  return value;
}

function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value);
}

function unique(ids: readonly string[], what: string): void {
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) throw new ImportError(`Two ${what} of the file have the id “${twice}”.`);
}

function wrong(at: string, what: string): ImportError {
  return new ImportError(`Nothing was imported: \`${at}\` ${what}.`);
}

function withoutMissing<T extends object>(from: T): T {
  return Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined)) as T;
}
