// Numbers and times for people.
import type { Chat } from './types.ts';

const whole = new Intl.NumberFormat('en');

export const formatCount = (value: number): string => whole.format(Math.round(value));

/** Large counts short: `4,096`, `32k`, `128k`. */
export function formatSizeOfContext(tokens: number): string {
  return tokens < 10_000 ? formatCount(tokens) : `${formatCount(tokens / 1024)}k`;
}

export const formatSpeed = (perSecond: number): string => `${perSecond.toFixed(perSecond < 100 ? 1 : 0)} tok/s`;

/** The first line of a question, short enough for the list. */
export function titleFrom(question: string): string {
  const line = question.trim().split('\n')[0]?.replace(/\s+/g, ' ').trim() ?? '';
  if (line.length <= 60) return line || 'New chat';
  const cut = line.slice(0, 60);
  return `${cut.slice(0, Math.max(cut.lastIndexOf(' '), 40)).trimEnd()}…`;
}

/** Chats under headings by age, newest first. */
export function byAge(chats: readonly Chat[], now: number): { label: string; chats: Chat[] }[] {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const day = 24 * 60 * 60 * 1000;
  const labels: [string, number][] = [
    ['Today', midnight],
    ['Yesterday', midnight - day],
    ['Last seven days', midnight - 7 * day],
    ['Last thirty days', midnight - 30 * day],
    ['Older', Number.NEGATIVE_INFINITY],
  ];
  const sorted = [...chats].sort((a, b) => b.updated - a.updated);
  return labels
    .map(([label, since], at) => ({
      label,
      chats: sorted.filter(({ updated }) => updated >= since && (at === 0 || updated < labels[at - 1]![1])),
    }))
    .filter((group) => group.chats.length > 0);
}
