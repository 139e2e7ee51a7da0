//! Which KV blocks hold which text: a tree of blocks, from the start of a text on.
//!
//! A node is a block that has been computed, whole or in part; its parent holds the 64 tokens before. A new
//! prompt walks down from the root and finds how much of it is there already. Tokens themselves are compared,
//! not hashes of them: chained hashes (vLLM's way) find whole blocks only and can be wrong, while a tree also
//! tells how far into a block two texts agree, so that the rest of that block can be copied (Zheng et al. 2024,
//! arXiv:2312.07104, share prefixes by a tree too).
//!
//! All room is taken at the start; nodes with one parent and the same first token form a list.

use std::collections::{HashMap, HashSet};

use model::BLOCK_TOKENS;

/// Stands for the parent of a text's first block, of texts without a salt.
pub(crate) const ROOT: Serial = Serial(0);

/// A node's name. A block that is used anew gets another, so nothing is found under one that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Serial(u64);

impl Serial {
    /// A salt by which another tree tells apart what this one does; empty for [`ROOT`].
    pub(crate) fn name(self) -> String {
        match self {
            ROOT => String::new(),
            Self(number) => number.to_string(),
        }
    }
}

/// What a block holds; nothing while `len` is 0.
#[derive(Clone, Copy, Debug)]
struct Node {
    serial: Serial,
    parent: Serial,
    len: usize,
    /// The next of the same parent and first token.
    sibling: Option<u32>,
}

/// The tree over all blocks of a pool.
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// `[num_blocks, BLOCK_TOKENS]`.
    tokens: Vec<u32>,
    /// Heads of lists.
    children: HashMap<(Serial, u32), u32>,
    /// What stands for [`ROOT`] by salt: texts of different salts share nothing.
    roots: HashMap<String, Serial>,
    last_serial: u64,
}

/// The node that agrees longest with a text's next tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) block: u32,
    /// Tokens that agree, 1 to [`BLOCK_TOKENS`].
    pub(crate) len: usize,
    pub(crate) serial: Serial,
}

impl Tree {
    pub(crate) fn new(num_blocks: usize) -> Self {
        let empty = Node {
            serial: ROOT,
            parent: ROOT,
            len: 0,
            sibling: None,
        };
        Self {
            nodes: vec![empty; num_blocks],
            tokens: vec![0; num_blocks * BLOCK_TOKENS],
            children: HashMap::with_capacity(num_blocks),
            roots: HashMap::new(),
            last_serial: 0,
        }
    }

    /// The parent of first blocks of texts with this salt; [`ROOT`] without one.
    ///
    /// When more salts are known than there are blocks, those under which nothing is held are forgotten: they would
    /// find nothing anyway.
    pub(crate) fn root(&mut self, salt: &str) -> Serial {
        if salt.is_empty() {
            return ROOT;
        }
        if let Some(&root) = self.roots.get(salt) {
            return root;
        }
        if self.roots.len() >= self.nodes.len() {
            let held = self.nodes.iter().filter(|node| node.len > 0);
            let parents: HashSet<Serial> = held.map(|node| node.parent).collect();
            self.roots.retain(|_, root| parents.contains(root));
        }
        self.last_serial += 1;
        let root = Serial(self.last_serial);
        self.roots.insert(salt.to_owned(), root);
        root
    }

    /// Whether the block holds anything that could be found.
    pub(crate) fn holds(&self, block: u32) -> bool {
        self.nodes[block as usize].len > 0
    }

    /// The child of `parent` that agrees longest with the beginning of `tokens`.
    pub(crate) fn find(&self, parent: Serial, tokens: &[u32]) -> Option<Found> {
        let first = *tokens.first()?;
        let mut next = self.children.get(&(parent, first)).copied();
        let mut best: Option<Found> = None;
        while let Some(block) = next {
            let node = &self.nodes[block as usize];
            let held = self.held(block).iter();
            let len = held.zip(tokens).take_while(|(a, b)| a == b).count();
            if best.is_none_or(|best| len > best.len) {
                let serial = node.serial;
                best = Some(Found { block, len, serial });
            }
            next = node.sibling;
        }
        best
    }

    /// Says that `block` holds `tokens`, which come after `parent`; it may hold fewer of them already.
    pub(crate) fn record(&mut self, block: u32, parent: Serial, tokens: &[u32]) -> Serial {
        assert!(
            (1..=BLOCK_TOKENS).contains(&tokens.len()),
            "a block holds 1 to {BLOCK_TOKENS} tokens"
        );
        let at = block as usize;
        if self.nodes[at].len == 0 {
            self.last_serial += 1;
            let head = self.children.insert((parent, tokens[0]), block);
            self.nodes[at] = Node {
                serial: Serial(self.last_serial),
                parent,
                len: 0,
                sibling: head,
            };
        }
        let node = &mut self.nodes[at];
        assert!(
            node.parent == parent && node.len <= tokens.len(),
            "a block keeps its place until it is forgotten"
        );
        self.tokens[at * BLOCK_TOKENS..][..tokens.len()].copy_from_slice(tokens);
        node.len = tokens.len();
        node.serial
    }

    /// Takes a block out, because it will hold something else.
    pub(crate) fn forget(&mut self, block: u32) {
        let Node { parent, len, .. } = self.nodes[block as usize];
        if len == 0 {
            return;
        }
        let key = (parent, self.held(block)[0]);
        let after = self.nodes[block as usize].sibling;
        let head = self.children[&key];
        if head == block {
            match after {
                Some(next) => self.children.insert(key, next),
                None => self.children.remove(&key),
            };
        } else {
            let mut before = head;
            while let Some(next) = self.nodes[before as usize].sibling
                && next != block
            {
                before = next;
            }
            self.nodes[before as usize].sibling = after;
        }
        let node = &mut self.nodes[block as usize];
        (node.len, node.sibling) = (0, None);
    }

    /// The tokens that a block holds.
    pub(crate) fn held(&self, block: u32) -> &[u32] {
        let at = block as usize;
        &self.tokens[at * BLOCK_TOKENS..][..self.nodes[at].len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_agreement_is_found() {
        let mut tree = Tree::new(4);
        let a = tree.record(0, ROOT, &[1, 2, 3]);
        tree.record(1, ROOT, &[1, 2, 4, 5]);
        tree.record(2, a, &[1]);
        let found = |tree: &Tree, parent, tokens: &[u32]| {
            let found = tree.find(parent, tokens);
            found.map(|found| (found.block, found.len))
        };
        assert_eq!(found(&tree, ROOT, &[1, 2, 4, 9]), Some((1, 3)));
        assert_eq!(found(&tree, ROOT, &[1, 2, 3, 9]), Some((0, 3)));
        assert_eq!(found(&tree, ROOT, &[2]), None);
        assert_eq!(found(&tree, a, &[1, 2]), Some((2, 1)));
        // It grows, and is found longer.
        tree.record(0, ROOT, &[1, 2, 3, 9]);
        assert_eq!(found(&tree, ROOT, &[1, 2, 3, 9]), Some((0, 4)));
        // What is forgotten is not found, nor what comes after it under its next name.
        tree.forget(0);
        assert_eq!(found(&tree, ROOT, &[1, 2, 3, 9]), Some((1, 2)));
        let again = tree.record(0, ROOT, &[1, 2, 3]);
        assert_ne!(again, a);
        assert_eq!(found(&tree, again, &[1]), None);
        tree.forget(1);
        tree.forget(0);
        assert_eq!(found(&tree, ROOT, &[1]), None);
    }

    #[test]
    fn salts_share_nothing_and_idle_ones_are_forgotten() {
        let mut tree = Tree::new(4);
        let (a, b) = (tree.root("a"), tree.root("b"));
        assert_eq!(tree.root(""), ROOT);
        assert!(a != b && a != ROOT && tree.root("a") == a);
        tree.record(0, a, &[1, 2]);
        assert_eq!(tree.find(b, &[1, 2]), None);
        assert_eq!(tree.find(ROOT, &[1, 2]), None);
        assert_eq!(tree.find(a, &[1, 2]).map(|found| found.len), Some(2));
        for salt in 0..100 {
            tree.root(&salt.to_string());
            assert!(tree.roots.len() <= 4);
        }
        assert_eq!(tree.root("a"), a, "something is held under it");
        assert_ne!(tree.root("b"), b);
    }
}
