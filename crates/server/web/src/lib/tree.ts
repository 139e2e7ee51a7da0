// A chat as a tree: every edit and every further answer is a branch beside the first.
import type { Message } from './types.ts';

type Node = Pick<Message, 'id' | 'parent' | 'created'>;

/** From the first message to `leaf`. Stops where a parent is missing, or met before. */
export function pathTo<T extends Node>(messages: readonly T[], leaf: string | null): T[] {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const path: T[] = [];
  for (let id = leaf; id !== null; ) {
    const message = byId.get(id);
    if (!message) break;
    byId.delete(id);
    path.push(message);
    id = message.parent;
  }
  return path.reverse();
}

/** Those that hang on the same parent as `message`, itself included, oldest first. */
export function siblings<T extends Node>(messages: readonly T[], message: Node): T[] {
  return childrenOf(messages, message.parent);
}

/** The end of the branch below `id` that goes on with the newest message everywhere. */
export function newestLeaf(messages: readonly Node[], id: string): string {
  const seen = new Set<string>();
  for (;;) {
    seen.add(id);
    const next = childrenOf(messages, id).at(-1);
    if (!next || seen.has(next.id)) return id;
    id = next.id;
  }
}

/** `id` and everything below it. */
export function subtree(messages: readonly Node[], id: string): Set<string> {
  const found = new Set([id]);
  const waiting = [id];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const { id: child } of childrenOf(messages, at)) {
      if (!found.has(child)) waiting.push(child);
      found.add(child);
    }
  }
  return found;
}

/** What to show once `message` and everything below it are gone: a sibling's branch, or else the parent. */
export function leafWithout(messages: readonly Node[], message: Node): string | null {
  const others = siblings(messages, message);
  const at = others.findIndex(({ id }) => id === message.id);
  const neighbour = others[at + 1] ?? others[at - 1];
  return neighbour ? newestLeaf(messages, neighbour.id) : message.parent;
}

function childrenOf<T extends Node>(messages: readonly T[], parent: string | null): T[] {
  return messages
    .filter((message) => message.parent === parent)
    .sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
}
