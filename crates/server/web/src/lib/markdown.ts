// Markdown to safe HTML, block by block: while an answer grows, only its last block is made anew.
//
// HTML in an answer is shown as the text it is, and a picture as a link: an answer cannot make this page ask
// another host for anything. DOMPurify stands behind that as a second wall.
import DOMPurify from 'dompurify';
import { Marked, type TokensList } from 'marked';
import { codeBlock, escapeHtml } from './highlight.ts';
import { maths } from './maths.ts';

const marked = new Marked({ gfm: true, breaks: false });
marked.use({
  extensions: maths,
  renderer: {
    code: ({ text, lang }) => codeBlock(text, lang ?? ''),
    html: ({ text }) => escapeHtml(text),
    image: ({ href, text }) => link(href, text || href),
    link({ href, tokens }) {
      return link(href, null, this.parser.parseInline(tokens));
    },
    // Wide tables scroll inside their frame. The frame takes the focus, so that keys can scroll it.
    table({ header, rows }) {
      const cell = (kind: 'th' | 'td') => (each: (typeof header)[number]) =>
        `<${kind}${each.align ? ` align="${each.align}"` : ''}>${this.parser.parseInline(each.tokens)}</${kind}>`;
      const head = header.map(cell('th')).join('');
      const body = rows.map((row) => `<tr>${row.map(cell('td')).join('')}</tr>`).join('');
      return `<div class="wide" tabindex="0" role="group" aria-label="Table"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
    },
  },
});

/** Only what can be opened without harm becomes a link. */
function link(href: string, text: string | null, html = escapeHtml(text ?? '')): string {
  if (!/^(https?:|mailto:)/i.test(href)) return html;
  return `<a href="${escapeHtml(href)}" target="_blank" rel="noopener noreferrer">${html}</a>`;
}

DOMPurify.setConfig({ ADD_ATTR: ['target'], FORBID_TAGS: ['img', 'video', 'audio', 'form', 'input', 'style'] });

const cache = new Map<string, string>();
const MAX_CACHED = 400;

/** The HTML of each block of `source`. */
export function renderBlocks(source: string): string[] {
  const tokens = marked.lexer(source);
  return tokens.filter(({ type }) => type !== 'space' && type !== 'def').map((token) => {
    const known = cache.get(token.raw);
    if (known !== undefined) return known;
    const one = Object.assign([token], { links: tokens.links }) as TokensList;
    const html = DOMPurify.sanitize(marked.parser(one));
    // Links by reference depend on more than the block itself.
    if (Object.keys(tokens.links).length === 0) remember(token.raw, html);
    return html;
  });
}

function remember(raw: string, html: string): void {
  if (cache.size >= MAX_CACHED) cache.delete(cache.keys().next().value as string);
  cache.set(raw, html);
}
