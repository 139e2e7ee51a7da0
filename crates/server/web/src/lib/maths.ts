// Maths in Markdown: `$…$` and `\(…\)` in a line, `$$…$$` and `\[…\]` on their own, set by KaTeX.
import katex from 'katex';
import type { TokenizerAndRendererExtension, Tokens } from 'marked';
import { escapeHtml } from './highlight.ts';

/** `$5 and $6` are prices: the opening sign touches what follows, the closing one what precedes, no digit after it. */
const INLINE = /^(?:\$(?!\s)((?:\\.|[^$\\\n])+?)(?<!\s)\$(?!\d)|\\\(([\s\S]+?)\\\))/;
const DISPLAY = /^(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])/;

function find(source: string, pattern: RegExp): { raw: string; text: string } | null {
  const match = pattern.exec(source);
  const text = match?.[1] ?? match?.[2];
  return match && text !== undefined ? { raw: match[0], text: text.trim() } : null;
}

/** KaTeX's HTML, and the source in red where it cannot read it. `trust` is off: no links, no pictures, no classes. */
function render(text: string, displayMode: boolean): string {
  try {
    return katex.renderToString(text, {
      displayMode,
      throwOnError: false,
      strict: 'ignore',
      trust: false,
      maxSize: 20,
      maxExpand: 500,
    });
  } catch {
    return `<code>${escapeHtml(text)}</code>`;
  }
}

function extension(name: string, level: 'block' | 'inline', pattern: RegExp, display: boolean): TokenizerAndRendererExtension {
  const html = (text: string) =>
    level === 'block' ? `<p class="wide" tabindex="0" role="group" aria-label="Formula">${render(text, true)}</p>` : render(text, display);
  return {
    name,
    level,
    start: (source) => {
      const at = source.search(level === 'block' ? /(?<=^|\n) {0,3}(?:\$\$|\\\[)/ : /\$|\\[([]/);
      return at < 0 ? undefined : at;
    },
    tokenizer(source) {
      const indent = level === 'block' ? (/^ {0,3}/.exec(source)?.[0] ?? '') : '';
      const found = find(source.slice(indent.length), pattern);
      return found ? { type: name, raw: indent + found.raw, text: found.text } : undefined;
    },
    renderer: (token) => html((token as Tokens.Generic).text as string),
  };
}

export const maths = [
  extension('maths-block', 'block', new RegExp(`${DISPLAY.source}[ \\t]*(?:\\n|$)`), true),
  extension('maths-display', 'inline', DISPLAY, true),
  extension('maths-inline', 'inline', INLINE, false),
];
