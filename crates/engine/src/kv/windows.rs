//! The KV blocks of layers with a window, each the other half of a block of the layers that keep everything.
//!
//! A text's next token sees no more than a window of positions, so halves behind it are let go while the text goes on
//! ([`Windows::first_seen`] says which). A half that nobody holds stays with its block until its room is needed: first
//! go those that texts have left behind, then those at the ends of texts and those that were found again, which is where
//! the next request is likely to go on.

use super::slots::{Slots, Worth};
use crate::backend::Window;

/// Stands for a half that is gone.
pub(super) const GONE: u32 = u32::MAX;

pub(super) struct Windows {
    window: Window,
    slots: Slots,
    /// Of each whole block its half, or [`GONE`].
    of: Vec<u32>,
    /// The other way round, for halves that are somebody's.
    whole: Vec<u32>,
}

impl Windows {
    pub(super) fn new(window: Window, num_wholes: usize) -> Self {
        Self {
            slots: Slots::new(window.num_blocks),
            of: vec![GONE; num_wholes],
            whole: vec![GONE; window.num_blocks],
            window,
        }
    }

    pub(super) fn num_blocks(&self) -> usize {
        self.slots.num_blocks()
    }

    pub(super) fn num_free(&self) -> usize {
        self.slots.num_free()
    }

    /// Halves that a text needs at once to go on.
    pub(super) fn per_text(&self) -> usize {
        Window::blocks_per_text(self.window.len)
    }

    /// Of a text's blocks the first of which the token at `position` sees anything.
    pub(super) fn first_seen(&self, position: usize) -> usize {
        self.window.first_seen(position)
    }

    /// The half of a block.
    pub(super) fn of(&self, block: u32) -> Option<u32> {
        Some(self.of[block as usize]).filter(|&half| half != GONE)
    }

    /// A half for a block that has none.
    pub(super) fn take(&mut self, block: u32) -> Option<u32> {
        let half = self.slots.take()?;
        let before = std::mem::replace(&mut self.whole[half as usize], block);
        if before != GONE {
            self.of[before as usize] = GONE;
        }
        self.of[block as usize] = half;
        Some(half)
    }

    pub(super) fn hold(&mut self, half: u32) {
        self.slots.hold(half);
    }

    /// Of no worth if its block cannot be found any more.
    pub(super) fn let_go(&mut self, half: u32, worth: Option<Worth>) {
        if self.slots.let_go(half, worth) && worth.is_none() {
            self.part(half);
        }
    }

    /// Another block, which holds the same and may have no half, gets that of the block whose half this is. Its half.
    pub(super) fn move_to(&mut self, half: u32, block: u32) -> u32 {
        if let Some(own) = self.of(block) {
            self.slots.hold(own);
            self.let_go(half, None);
            return own;
        }
        self.part(half);
        (self.of[block as usize], self.whole[half as usize]) = (half, block);
        half
    }

    /// The block will hold something else; nobody holds its half.
    pub(super) fn forget(&mut self, block: u32) {
        if let Some(half) = self.of(block) {
            self.slots.forget(half);
            self.part(half);
        }
    }

    fn part(&mut self, half: u32) {
        let block = std::mem::replace(&mut self.whole[half as usize], GONE);
        self.of[block as usize] = GONE;
    }

    /// # Panics
    /// If the books are wrong, as [`Slots::check`].
    pub(super) fn check(&self, held: impl Iterator<Item = u32>, holds: impl Fn(u32) -> bool) {
        self.slots.check(held, |half| {
            let block = self.whole[half as usize];
            block != GONE && holds(block)
        });
        for (block, &half) in self.of.iter().enumerate() {
            assert!(half == GONE || self.whole[half as usize] as usize == block);
        }
    }
}
