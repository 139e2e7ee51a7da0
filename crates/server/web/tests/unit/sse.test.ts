import { expect, test } from 'vitest';
import { SseParser } from '../../src/lib/sse.ts';

const stream = '\uFEFF: ping\n\ndata: {"a":1}\n\nevent: error\r\ndata: one\r\ndata:two\r\n\r\nid: 7\rdata\r\rdata: [DONE]\n\n';
const events = [
  { event: 'message', data: '{"a":1}' },
  { event: 'error', data: 'one\ntwo' },
  { event: 'message', data: '' },
  { event: 'message', data: '[DONE]' },
];

test('events come out however the text is cut', () => {
  for (let size = 1; size <= stream.length; size++) {
    const parser = new SseParser();
    const found = [];
    for (let at = 0; at < stream.length; at += size) found.push(...parser.push(stream.slice(at, at + size)));
    expect(found, `pieces of ${size}`).toEqual(events);
  }
});

test('an event that is not complete does not come out', () => {
  expect(new SseParser().push('data: half\n')).toEqual([]);
});
