// Server-sent events out of a text that comes in pieces.
// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
// `id` and `retry` are left out: nothing here reconnects.

export interface SseEvent {
  event: string;
  data: string;
}

export class SseParser {
  #rest = '';
  #data: string[] = [];
  #event = '';
  #started = false;

  /** The events that `text` completes. */
  push(text: string): SseEvent[] {
    if (!this.#started && text !== '') {
      this.#started = true;
      text = text.replace(/^\uFEFF/, '');
    }
    this.#rest += text;
    const events: SseEvent[] = [];
    for (;;) {
      const at = this.#rest.search(/[\r\n]/);
      // A carriage return at the very end may be the first half of a line end.
      if (at < 0 || (this.#rest[at] === '\r' && at + 1 === this.#rest.length)) return events;
      const width = this.#rest.startsWith('\r\n', at) ? 2 : 1;
      const line = this.#rest.slice(0, at);
      this.#rest = this.#rest.slice(at + width);
      const event = this.#line(line);
      if (event) events.push(event);
    }
  }

  #line(line: string): SseEvent | null {
    if (line === '') {
      const done = this.#data.length > 0 ? { event: this.#event || 'message', data: this.#data.join('\n') } : null;
      this.#data = [];
      this.#event = '';
      return done;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.#data.push(value);
    if (field === 'event') this.#event = value;
    return null;
  }
}
