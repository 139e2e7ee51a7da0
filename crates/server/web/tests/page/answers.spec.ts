// Answers: how they come, look, stop and count.
import { answers, expect, field, say, settled, test } from '../fixtures.ts';

test('an answer streams, stops with Escape, and goes on', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'Tell me something slow');
  await expect(answers(page)).toContainText('One more sentence');
  const early = (await answers(page).innerText()).length;
  await expect.poll(async () => (await answers(page).innerText()).length).toBeGreaterThan(early + 20);
  await page.keyboard.press('Escape');
  await settled(page);
  await expect(answers(page)).toContainText('Stopped.');
  await expect.poll(() => mock.aborted).toBe(1);
  const stopped = await answers(page).locator('.prose').innerText();
  await page.waitForTimeout(300);
  expect(await answers(page).locator('.prose').innerText()).toBe(stopped);

  await page.getByRole('button', { name: 'Continue' }).click();
  await expect(answers(page)).toContainText('and this is the rest.');
  expect(mock.requests[1]).toMatchObject({ continue_final_message: true, messages: [{ role: 'user' }, { role: 'assistant' }] });
  expect((await answers(page).locator('.prose').innerText()).startsWith(stopped)).toBe(true);
});

test('the end stays on view while an answer grows, unless the reader scrolls up', async ({ page, mock }) => {
  await page.setViewportSize({ width: 900, height: 420 });
  await page.goto(mock.url);
  await say(page, 'show');
  await settled(page);
  const frame = page.getByRole('region', { name: 'Messages' });
  const toEnd = () => frame.evaluate((it) => it.scrollHeight - it.scrollTop - it.clientHeight);
  await expect.poll(toEnd).toBeLessThan(2);
  await say(page, 'slow');
  await expect(answers(page).last()).toContainText('a slow answer. One more');
  await expect.poll(toEnd).toBeLessThan(2);
  await frame.hover();
  await page.mouse.wheel(0, -300);
  await expect(page.getByRole('button', { name: 'To the end' })).toBeVisible();
  await page.waitForTimeout(500);
  expect(await toEnd()).toBeGreaterThan(100);
  await page.getByRole('button', { name: 'To the end' }).click();
  await expect.poll(toEnd).toBeLessThan(30);
  await page.keyboard.press('Escape');
});

test('the stop button stops too, and focus stays in the field', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'slow');
  await expect(field(page)).toBeFocused();
  await page.getByRole('button', { name: 'Stop' }).click();
  await settled(page);
  await expect.poll(() => mock.aborted).toBe(1);
});

test('speed, tokens, cache and context are shown', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'Hello');
  await settled(page);
  await expect(answers(page)).toContainText('mock-small·42.4 tok/s·4 tokens·prompt 42, 30 cached'.replaceAll('·', ''));
  await expect(page.getByRole('meter', { name: 'Context' })).toHaveAttribute('aria-valuetext', '46 of 4,096 tokens of context used');
});

test('a question carries the branch, the model and what makes a server report', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'One');
  await settled(page);
  await say(page, 'Two');
  await settled(page);
  expect(mock.requests[1]).toEqual({
    model: 'mock-small',
    messages: [
      { role: 'user', content: 'One' },
      { role: 'assistant', content: 'Answer 1 to: One' },
      { role: 'user', content: 'Two' },
    ],
    stream: true,
    stream_options: { include_usage: true },
    timings_per_token: true,
  });
});

test('thoughts are folded away and not sent back', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'Please think');
  await settled(page);
  await expect(page.getByText('First I weigh it.')).toBeHidden();
  await page.getByText('Thoughts').click();
  await expect(page.getByText('First I weigh it.')).toBeVisible();
  await say(page, 'And now?');
  await settled(page);
  expect(JSON.stringify(mock.requests[1])).not.toContain('weigh');
});

test('Markdown, code and maths are set, and code is copied', async ({ page, mock, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto(mock.url);
  await say(page, 'show');
  await settled(page);
  await expect(answers(page).locator('.katex-display')).toHaveCount(1);
  await expect(answers(page).locator('.katex')).toHaveCount(3);
  await expect(answers(page).locator('td').first()).toHaveText('7 °C');
  await expect(answers(page).locator('.hljs-keyword').first()).toHaveText('def');
  await answers(page).getByRole('button', { name: 'Copy', exact: true }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toMatch(/^def bound[\s\S]+9\.3$/);
  expect(await page.evaluate(() => document.fonts.check('16px KaTeX_Main'))).toBe(true);
});

test('HTML and pictures in an answer do nothing', async ({ page, mock }) => {
  await page.goto(mock.url);
  const hostile =
    '<img src=x onerror=alert(1)> <script>alert(2)</script> ![pixel](http://203.0.113.1/p.png) ' +
    '[click](javascript:alert(3)) <style>*{display:none}</style> $\\href{javascript:alert(4)}{x}$';
  page.on('dialog', () => expect('a dialog').toBe('none'));
  await say(page, hostile);
  await settled(page);
  const prose = answers(page).locator('.prose');
  await expect(prose.locator('img, script, style, [onerror]')).toHaveCount(0);
  await expect(prose).toContainText('<img src=x onerror=alert(1)>');
  const links = await prose.locator('a').evaluateAll((all) => all.map((a) => a.getAttribute('href')));
  expect(links).toEqual(['http://203.0.113.1/p.png']);
});

test('prices are no formulas', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'It costs $5 and not $6, but $x^2$ and \\(y\\) are maths');
  await settled(page);
  await expect(answers(page).locator('.katex')).toHaveCount(2);
});

test.describe('behind a path prefix', () => {
  test.use({ serverOptions: { prefix: '/models/ingle' } });
  test('everything works', async ({ page, mock }) => {
    await page.goto(mock.url);
    await say(page, 'Hello');
    await settled(page);
    await expect(answers(page)).toContainText('Answer 1 to: Hello');
  });
});
