// What a screen reader hears of an answer that grows: whole sentences, not tokens.

/** The part of `text` behind `spoken` characters that ends with a sentence or a line; everything once `done`. */
export function nextUtterance(text: string, spoken: number, done: boolean): { say: string; spoken: number } {
  const rest = text.slice(spoken);
  const end = done ? rest.length : lastEnd(rest);
  return { say: plain(rest.slice(0, end)), spoken: spoken + end };
}

function lastEnd(text: string): number {
  let end = 0;
  for (const match of text.matchAll(/[.!?:](?=\s)|\n|[。！？]/g)) end = match.index + match[0].length;
  return end;
}

/** Without the marks of Markdown, which a voice would read out. */
function plain(text: string): string {
  return text
    .replace(/[*_`#>|~]+/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}
