// The page against the real program, at the address in INGLE_URL. What the model says is of no concern here,
// only that it comes, stops, stays and counts.
import { readFile } from 'node:fs/promises';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { answers, expect, expectNoSidewaysScroll, field, questions, say, settled, test } from '../fixtures.ts';

const prose = (page: Page) => answers(page).last().locator('.prose');

/** Lets what the server sends come slowly: the model of the tests is done before a hand could stop it. */
async function slowly(page: Page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  const limit = (downloadThroughput: number) =>
    session.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput, uploadThroughput: -1 });
  await limit(6000);
  return { end: () => limit(-1) };
}

test.beforeEach(async ({ page }) => {
  // A model that knows no end would talk until its context is full.
  const settings = JSON.stringify({ sampling: { max_tokens: 90 } });
  await page.addInitScript((settings) => localStorage.setItem('ingle.settings', settings), settings);
  await page.goto('./');
  await expect(page.getByRole('button', { name: /^Model: ./ })).toBeVisible();
});

test('a first answer streams, is counted, and stops', async ({ page }) => {
  await slowly(page);
  await say(page, 'Tell me a story about a small boat.');
  await expect(prose(page)).toContainText(/\w+ \w+/);
  const early = (await prose(page).innerText()).length;
  await expect.poll(async () => (await prose(page).innerText()).length).toBeGreaterThan(early);
  await expect(answers(page)).toContainText(/\d tok\/s/);
  await page.keyboard.press('Escape');
  await settled(page);
  await expect(answers(page)).toContainText('Stopped.');
  await expect(page.getByRole('meter', { name: 'Context' })).toHaveAttribute('aria-valuetext', /^\d.* of \d.* tokens/);
});

test('a stopped answer goes on', async ({ page }) => {
  const slow = await slowly(page);
  await say(page, 'Once upon a time there was a cat');
  await expect(prose(page)).toContainText(/\w+ \w+ \w+/);
  await page.keyboard.press('Escape');
  await settled(page);
  const before = await prose(page).innerText();
  await slow.end();
  await page.getByRole('button', { name: 'Continue' }).click();
  await settled(page);
  await expect(answers(page).getByRole('alert')).toHaveCount(0);
  expect((await prose(page).innerText()).startsWith(before)).toBe(true);
});

test('the same seed gives the same answer, and branches stand side by side', async ({ page }) => {
  await page.getByRole('button', { name: /^Settings of this chat/ }).click();
  await page.getByLabel('Seed').fill('7');
  await page.getByLabel('Temperature').fill('1');
  await page.getByLabel('Max tokens').fill('24');
  await page.keyboard.press('Escape');
  await say(page, 'One day');
  await settled(page);
  await expect(answers(page)).toContainText('reached its limit');
  const first = await prose(page).innerText();
  await answers(page).getByRole('button', { name: 'Answer again' }).click();
  await settled(page);
  await expect(answers(page)).toContainText('2 / 2');
  expect(await prose(page).innerText()).toBe(first);
});

test('history survives a reload, leaves as a file and comes back', async ({ page }) => {
  await say(page, 'The little dog');
  await settled(page);
  const said = await prose(page).innerText();
  await page.reload();
  await expect(prose(page)).toHaveText(said, { useInnerText: true });
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  const arrival = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export all' }).click();
  const file = await (await arrival).path();
  expect(JSON.parse(await readFile(file, 'utf8')).chats[0].messages).toHaveLength(2);
  await page.getByRole('button', { name: 'Delete all' }).click();
  await page.getByRole('dialog', { name: 'Delete all chats?' }).getByRole('button', { name: 'Delete all' }).click();
  await expect(answers(page)).toHaveCount(0);
  await page.getByLabel('File of chats').setInputFiles(file);
  await page.getByRole('navigation', { name: 'Chats' }).getByRole('button', { name: 'The little dog', exact: true }).click();
  await expect(prose(page)).toHaveText(said, { useInnerText: true });
});

test('models and defaults are the server’s', async ({ page, request }) => {
  const models = (await (await request.get('./v1/models')).json()).data as { id: string }[];
  await page.getByRole('button', { name: /^Model: ./ }).click();
  await expect(page.getByRole('option')).toHaveCount(models.length);
  await expect(page.getByRole('option').first()).toContainText(models[0]!.id);
  await expect(page.getByRole('option').first()).toContainText('tokens of context');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: /^Settings of this chat/ }).click();
  for (const label of ['Temperature', 'Top p', 'Top k', 'Min p']) {
    await expect(page.getByLabel(label)).toHaveAttribute('placeholder', /^[\d.]+$/);
  }
});

test('files are served with care', async ({ request }) => {
  const page = await request.get('./');
  expect(page.headers()).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': expect.stringMatching(/^default-src 'self'; .*frame-ancestors 'none'$/),
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-cache',
    'content-encoding': 'gzip',
  });
  const etag = page.headers().etag!;
  expect((await request.get('./', { headers: { 'If-None-Match': etag } })).status()).toBe(304);
  const plain = await request.get('./', { headers: { 'Accept-Encoding': 'identity' } });
  expect(plain.headers()).not.toHaveProperty('content-encoding');
  expect(await plain.text()).toBe(await page.text());
  const script = /assets\/[^"]+\.js/.exec(await page.text())![0];
  expect((await request.get(`./${script}`)).headers()['cache-control']).toContain('immutable');
  expect((await request.get('./assets/none.js')).status()).toBe(404);
});

test('the keyboard and a small screen are enough', async ({ page }) => {
  await expect(field(page)).toBeFocused();
  await page.keyboard.type('Tom and the ball');
  await page.keyboard.press('Enter');
  await expect(questions(page)).toHaveCount(1);
  await settled(page);
  await page.keyboard.press('Control+K');
  await page.keyboard.type('ball');
  await expect(page.getByText('1 chat found')).toBeAttached();
  await page.keyboard.press('Control+Shift+O');
  await expect(field(page)).toBeFocused();
  await page.setViewportSize({ width: 360, height: 640 });
  await expectNoSidewaysScroll(page);
  await page.goBack();
  await expect(answers(page)).toHaveCount(1);
  await expectNoSidewaysScroll(page);
});

test('axe finds nothing serious', async ({ page }) => {
  await say(page, 'Lily saw');
  await settled(page);
  const { violations } = await new AxeBuilder({ page }).analyze();
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
});
