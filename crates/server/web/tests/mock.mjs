// A server that speaks what the page asks for and behaves as the question says: slowly, wrongly, at length.
// `node tests/mock.mjs [PORT]` runs it alone. It serves `dist/` under the same headers as the program does.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const DIST = join(import.meta.dirname, '..', 'dist');
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.txt': 'text/plain' };
export const POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; " +
  "connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";
const SHOW = await readFile(join(import.meta.dirname, 'show.md'), 'utf8');
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Starts one. Options: `key`, `prefix` (a path it lives under), `port`, `name` of its small model. */
export async function startMock({ key = '', prefix = '', port = 0, name = 'mock-small' } = {}) {
  const mock = { name, requests: [], aborted: 0, health: 200, failures: 0, loaded: 'loaded', large: 'unloaded' };
  const server = createServer((request, response) => {
    handle(mock, { key, prefix }, request, response).catch((error) => response.destroy(error));
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  mock.url = `http://127.0.0.1:${server.address().port}${prefix}/`;
  mock.close = () => new Promise((done) => (server.closeAllConnections(), server.close(done)));
  return mock;
}

async function handle(mock, { key, prefix }, request, response) {
  const path = new URL(request.url, 'http://mock').pathname;
  if (!path.startsWith(`${prefix}/`)) return json(response, 404, error('File Not Found', 'not_found_error'));
  const route = `${request.method} ${path.slice(prefix.length)}`;
  if (route === 'GET /health') return json(response, mock.health, mock.health === 200 ? { status: 'ok' } : error('Loading model', 'unavailable_error'));
  const api = /^(GET|POST) \/(v1|props|models)(\/|$)/.test(route);
  if (api && key && request.headers.authorization !== `Bearer ${key}`) return json(response, 401, error('Invalid API Key', 'authentication_error'));
  if (route === 'GET /v1/models') return json(response, 200, models(mock));
  if (route === 'GET /props') return json(response, 200, PROPS);
  if (route === 'POST /models/load') {
    mock.large = 'loading';
    setTimeout(() => (mock.large = 'loaded'), 1500);
    return json(response, 200, { success: true });
  }
  if (route === 'POST /v1/chat/completions') return chat(mock, request, response);
  if (request.method === 'GET') return file(path.slice(prefix.length), response);
  return json(response, 404, error('File Not Found', 'not_found_error'));
}

const PROPS = {
  default_generation_settings: { n_ctx: 4096, params: { temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0.05, repeat_penalty: 1, seed: 4294967295, max_tokens: -1 } },
  model_alias: 'mock-small',
  chat_template: '',
};

const models = (mock) => ({
  object: 'list',
  data: [
    { id: mock.name, object: 'model', status: { value: mock.loaded }, meta: { n_ctx: 4096 } },
    { id: 'mock-large', object: 'model', status: { value: mock.large }, meta: { n_ctx: 131072 } },
  ],
});

const error = (message, type, code) => ({ error: { message, type, ...(code && { code }) } });

function json(response, status, body, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
}

async function file(path, response) {
  const name = normalize(path === '/' ? '/index.html' : path);
  try {
    const bytes = await readFile(join(DIST, name));
    response.writeHead(200, { 'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream', 'Content-Security-Policy': POLICY, 'X-Content-Type-Options': 'nosniff' });
    response.end(bytes);
  } catch {
    json(response, 404, error('File Not Found', 'not_found_error'));
  }
}

async function chat(mock, request, response) {
  let text = '';
  for await (const piece of request) text += piece;
  const body = JSON.parse(text);
  mock.requests.push(body);
  const said = body.messages.findLast(({ role }) => role === 'user')?.content ?? '';
  const goesOn = body.messages.at(-1).role === 'assistant';
  const refusal = refuse(mock, said);
  if (refusal) return json(response, ...refusal);
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
  response.on('close', () => (mock.aborted += response.writableEnded ? 0 : 1));
  const send = (event) => response.write(`data: ${JSON.stringify(event)}\n\n`);
  const pieces = (goesOn ? ' and this is the rest.' : reply(mock, said)).match(/\s*\S+\s*/g);
  const start = Date.now();
  const timings = (n) => ({ prompt_n: 12, cache_n: 30, prompt_ms: 5, predicted_n: n, predicted_ms: Date.now() - start + 1, predicted_per_second: 42.4 });
  const chunk = (delta, n, finish_reason = null) => send({ model: body.model, choices: [{ index: 0, delta, finish_reason }], timings: timings(n) });
  if (/think/.test(said)) for (const word of ['First ', 'I ', 'weigh ', 'it.']) chunk({ reasoning_content: word }, 1);
  for (const [at, piece] of pieces.entries()) {
    if (response.destroyed) return;
    chunk({ content: piece }, at + 1);
    await sleep(/slow/.test(said) && !goesOn ? 60 : 1);
    if (at === 5 && /break/.test(said) && !goesOn) return send(error('the model ran out of memory', 'server_error')), response.end();
    // A browser throws away what the page has not read yet when a connection breaks: it gets time to read.
    if (at === 5 && /vanish/.test(said) && !goesOn) return await sleep(1500), response.socket.end();
  }
  chunk({}, pieces.length, /limit/.test(said) && !goesOn ? 'length' : 'stop');
  send({ choices: [], usage: { prompt_tokens: 42, completion_tokens: pieces.length, prompt_tokens_details: { cached_tokens: 30 } } });
  response.end('data: [DONE]\n\n');
}

function refuse(mock, said) {
  if (/fail once/.test(said) && mock.failures++ === 0) return [500, error('the model fell over', 'server_error')];
  if (/busy/.test(said)) return [429, error('the queue is full', 'rate_limit_error'), { 'Retry-After': '2' }];
  if (/too long/.test(said)) return [400, error('the request has 5000 tokens, the context 4096', 'exceed_context_size_error', 'context_length_exceeded')];
  return null;
}

function reply(mock, said) {
  if (/show/.test(said)) return SHOW;
  const ask = said.length > 200 ? `${said.slice(0, 200)}…` : said;
  const words = `Answer ${mock.requests.length} to: ${ask}`;
  return /slow/.test(said) ? `${words} ${'One more sentence of a slow answer. '.repeat(40)}` : words;
}

if (process.argv[1] === import.meta.filename) {
  const { url } = await startMock({ port: Number(process.argv[2] ?? 8089), key: process.env.MOCK_KEY ?? '' });
  console.log(url);
}
