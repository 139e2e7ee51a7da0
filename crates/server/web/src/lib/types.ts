// What a chat is made of, here and in the browser's database.

export type Role = 'user' | 'assistant';

/** A text file that goes along with a question. */
export interface Attachment {
  name: string;
  text: string;
}

/** Counts of tokens and times of one answer, as far as the server has told. */
export interface Stats {
  /** Tokens of the whole prompt, those found in the cache included. */
  prompt?: number;
  cached?: number;
  predicted?: number;
  promptMs?: number;
  predictedMs?: number;
  perSecond?: number;
}

/** How an answer ended. `running` is also what an answer is left with when the page closes under it. */
export type End = 'stop' | 'length' | 'stopped' | 'failed' | 'running';

/** What went wrong, in words for the reader, with the server's own beside them. */
export interface Failure {
  title: string;
  detail: string;
  status?: number;
  code?: string;
}

/** A message. `parent` makes a tree of a chat: edits and second answers are siblings. */
export interface Message {
  id: string;
  chat: string;
  parent: string | null;
  role: Role;
  content: string;
  created: number;
  reasoning?: string;
  attachments?: Attachment[];
  model?: string;
  stats?: Stats;
  end?: End;
  failure?: Failure;
}

/** What the sampler panel sets. A key that is not there leaves the choice to the server. */
export interface Sampling {
  temperature?: number;
  top_k?: number;
  top_p?: number;
  min_p?: number;
  repeat_penalty?: number;
  seed?: number;
  max_tokens?: number;
  stop?: string[];
}

export interface Chat {
  id: string;
  title: string;
  system: string;
  sampling: Sampling;
  model: string | null;
  /** The last message of the branch on view. */
  leaf: string | null;
  created: number;
  updated: number;
}
