// The history: found, renamed, deleted, taken along and brought back.
import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { answers, expect, field, say, settled, test } from '../fixtures.ts';

const item = (page: Page, title: string) => page.getByRole('navigation', { name: 'Chats' }).getByRole('button', { name: title, exact: true });

async function ask(page: Page, ...questions: string[]) {
  for (const question of questions) {
    await page.keyboard.press('Control+Shift+O');
    await say(page, question);
    await settled(page);
  }
}

async function choose(page: Page, title: string, action: string) {
  await item(page, title).hover();
  await page.getByRole('button', { name: `More for “${title}”` }).click();
  await page.getByRole('menuitem', { name: action }).click();
}

test('search goes through titles and messages', async ({ page, mock }) => {
  await page.goto(mock.url);
  await ask(page, 'Boats of wood', 'Trees');
  await page.keyboard.press('Control+K');
  await expect(page.getByRole('searchbox')).toBeFocused();
  await page.keyboard.type('answer boats');
  await expect(item(page, 'Trees')).toHaveCount(0);
  await page.getByRole('button', { name: /Boats of wood.*Answer 1 to: Boats/ }).click();
  await expect(answers(page)).toContainText('Boats of wood');
  await page.getByRole('searchbox').fill('nowhere');
  await expect(page.getByText('No chat has these words.')).toBeVisible();
  await page.getByRole('searchbox').press('Escape');
  await expect(item(page, 'Trees')).toBeVisible();
});

test('a chat is renamed and deleted', async ({ page, mock }) => {
  await page.goto(mock.url);
  await ask(page, 'Boats', 'Trees');
  await choose(page, 'Boats', 'Rename');
  await page.getByLabel('New title').fill('Ships');
  await page.keyboard.press('Enter');
  await expect(item(page, 'Ships')).toBeVisible();
  await page.reload();
  await choose(page, 'Ships', 'Delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await expect(item(page, 'Ships')).toBeVisible();
  await choose(page, 'Ships', 'Delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(item(page, 'Ships')).toHaveCount(0);
  await page.reload();
  await expect(item(page, 'Trees')).toBeVisible();
  await expect(item(page, 'Ships')).toHaveCount(0);
});

test('back and forward move between chats', async ({ page, mock }) => {
  await page.goto(mock.url);
  await ask(page, 'Boats', 'Trees');
  await item(page, 'Boats').click();
  await expect(answers(page)).toContainText('Boats');
  await page.goBack();
  await expect(answers(page)).toContainText('Trees');
  await page.goForward();
  await expect(answers(page)).toContainText('Boats');
});

test('what is not sent yet is kept in its chat', async ({ page, mock }) => {
  await page.goto(mock.url);
  await ask(page, 'Boats', 'Trees');
  await field(page).fill('half a thought');
  await item(page, 'Boats').click();
  await expect(field(page)).toHaveValue('');
  await item(page, 'Trees').click();
  await expect(field(page)).toHaveValue('half a thought');
});

test('all chats leave as one file and come back', async ({ page, mock }) => {
  await page.goto(mock.url);
  await ask(page, 'Boats', 'Trees');
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export all' }).click()]);
  expect(download.suggestedFilename()).toMatch(/^ingle-chats-\d{4}-\d\d-\d\d\.json$/);
  const file = await download.path();
  await page.getByRole('button', { name: 'Delete all' }).click();
  await page.getByRole('dialog', { name: 'Delete all chats?' }).getByRole('button', { name: 'Delete all' }).click();
  await expect(item(page, 'Boats')).toHaveCount(0);
  await page.getByLabel('File of chats').setInputFiles(file);
  await expect(page.getByText('2 chats imported.')).toBeVisible();
  await item(page, 'Boats').click();
  await expect(answers(page)).toContainText('Answer 1 to: Boats');
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  await page.getByLabel('File of chats').setInputFiles(file);
  await expect(page.getByText('0 chats imported; 2 chats already here.')).toBeVisible();
});

test('one chat leaves alone, and a broken file is refused by name', async ({ page, mock }) => {
  await page.goto(mock.url);
  await ask(page, 'Boats', 'Trees');
  const arrival = page.waitForEvent('download');
  await choose(page, 'Boats', 'Export');
  const text = await readFile(await (await arrival).path(), 'utf8');
  expect(JSON.parse(text).chats).toMatchObject([{ title: 'Boats', messages: [{ content: 'Boats' }, { role: 'assistant' }] }]);
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  const buffer = Buffer.from(text.replace('"role": "user"', '"role": "root"'));
  await page.getByLabel('File of chats').setInputFiles({ name: 'a.json', mimeType: 'application/json', buffer });
  await expect(page.getByText('chats[0].messages[0].role')).toBeVisible();
});
