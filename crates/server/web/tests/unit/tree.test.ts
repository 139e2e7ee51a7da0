import { expect, test } from 'vitest';
import { leafWithout, newestLeaf, pathTo, siblings, subtree } from '../../src/lib/tree.ts';

const node = (id: string, parent: string | null, created: number) => ({ id, parent, created });
// a ─ b ─ c, and beside b its sibling d with e and f below; g is a second root.
const tree = [
  node('f', 'd', 6), node('a', null, 1), node('b', 'a', 2), node('c', 'b', 3), node('d', 'a', 4), node('e', 'd', 5),
  node('g', null, 7),
];
const ids = (nodes: { id: string }[]) => nodes.map(({ id }) => id).join('');
const get = (id: string) => tree.find((each) => each.id === id)!;

test('a path runs from the root to the leaf', () => {
  expect(ids(pathTo(tree, 'c'))).toBe('abc');
  expect(ids(pathTo(tree, 'f'))).toBe('adf');
  expect(pathTo(tree, null)).toEqual([]);
  expect(pathTo(tree, 'nowhere')).toEqual([]);
});

test('a circle and a missing parent end the path', () => {
  expect(ids(pathTo([node('x', 'y', 1), node('y', 'x', 2)], 'x'))).toBe('yx');
  expect(ids(pathTo([node('x', 'gone', 1)], 'x'))).toBe('x');
});

test('siblings stand in the order they were made', () => {
  expect(ids(siblings(tree, get('d')))).toBe('bd');
  expect(ids(siblings(tree, get('g')))).toBe('ag');
});

test('a branch goes on with what is newest', () => {
  expect(newestLeaf(tree, 'a')).toBe('f');
  expect(newestLeaf(tree, 'b')).toBe('c');
});

test('what is removed takes along what hangs on it, and a neighbour comes on view', () => {
  expect([...subtree(tree, 'd')].sort().join('')).toBe('def');
  expect(leafWithout(tree, get('d'))).toBe('c');
  expect(leafWithout(tree, get('b'))).toBe('f');
  expect(leafWithout(tree, get('c'))).toBe('b');
  expect(leafWithout([get('a')], get('a'))).toBe(null);
});
