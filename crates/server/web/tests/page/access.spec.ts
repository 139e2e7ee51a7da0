// For every reader: keyboard, voice, contrast, small screens.
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { answers, expect, expectNoSidewaysScroll, field, say, settled, test } from '../fixtures.ts';

/** No violation that axe calls serious or critical, on the page or in a part of it. */
async function expectAccessible(page: Page, part?: string) {
  const axe = new AxeBuilder({ page });
  const { violations } = await (part ? axe.include(part) : axe).analyze();
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing serious in a chat, ${colorScheme}`, async ({ page, mock }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.goto(mock.url);
    await say(page, 'show and think');
    await settled(page);
    await page.getByText('Thoughts').click();
    await answers(page).getByRole('button', { name: 'Answer again' }).click();
    await settled(page);
    await expectAccessible(page);
  });

  test(`axe finds nothing serious around it, ${colorScheme}`, async ({ page, mock }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.goto(mock.url);
    await expect(page.getByRole('button', { name: /^Model/ })).toBeVisible();
    await expectAccessible(page);
    await page.getByRole('button', { name: /^Settings of this chat/ }).click();
    await expectAccessible(page, 'dialog[open]');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Settings', exact: true }).click();
    await expectAccessible(page, 'dialog[open]');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^Model/ }).click();
    await expectAccessible(page, '[role="listbox"]');
  });
}

test('the keyboard alone does everything', async ({ page, mock }) => {
  await page.goto(mock.url);
  await expect(field(page)).toBeFocused();
  await page.keyboard.type('First line');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('second');
  await expect(page.getByRole('button', { name: 'Send' })).toBeEnabled();
  await page.keyboard.press('Enter');
  await expect(answers(page)).toHaveCount(1);
  await settled(page);
  expect(mock.requests[0].messages[0].content).toBe('First line\nsecond');
  await expect(field(page)).toBeFocused();
  await page.keyboard.press('Control+B');
  await expect(page.getByRole('complementary', { name: 'Chats' })).toHaveCount(0);
  await page.keyboard.press('Control+K');
  await expect(page.getByRole('searchbox')).toBeFocused();
  await page.keyboard.press('Control+Shift+O');
  await expect(field(page)).toBeFocused();
  await expect(page.getByRole('heading', { name: 'What is on your mind?' })).toBeVisible();
});

test('a menu moves with arrows and gives the focus back', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'Boats');
  await settled(page);
  const opener = page.getByRole('button', { name: 'More for “Boats”' });
  await opener.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('menuitem', { name: 'Rename' })).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(page.getByRole('menuitem', { name: 'Delete' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(opener).toBeFocused();
});

test('an answer is read out in sentences, politely', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'slow');
  const voice = page.getByTestId('announcer');
  await expect(voice).toHaveAttribute('aria-live', 'polite');
  await expect(voice).toContainText('Answering');
  await expect(voice).toContainText('One more sentence of a slow answer.');
  await page.keyboard.press('Escape');
  await expect(voice.locator('p').last()).toHaveText('Stopped');
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true });

  test('nothing is too wide, and the list is a drawer', async ({ page, mock }) => {
    await page.goto(mock.url);
    await expectNoSidewaysScroll(page);
    await say(page, 'show');
    await settled(page);
    await expectNoSidewaysScroll(page);
    await page.getByRole('button', { name: 'List of chats', exact: true }).tap();
    await expect(page.getByRole('complementary', { name: 'Chats' })).toBeFocused();
    await expectAccessible(page);
    await page.getByRole('navigation', { name: 'Chats' }).getByRole('button', { name: 'show', exact: true }).tap();
    await expect(page.getByRole('complementary', { name: 'Chats' })).toHaveCount(0);
    await page.getByRole('button', { name: /^Settings of this chat/ }).tap();
    await expectNoSidewaysScroll(page);
  });
});
