//! A backend that computes no model but notices every mistake in the books.
//!
//! A position's "keys and values" are one number, made of its token and the number of the position before, which is
//! read through the block table. The logits are made of that number. So a wrong block, a position that was
//! overwritten or skipped, or a block that was not copied changes the text.
//!
//! With a window there is another cache, of tokens and positions, and the number is made of all that the window shows
//! too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine::{Backend, Event, Sink, Window};
use model::{BLOCK_TOKENS, Batch, Kept, ReadError};
use std::sync::Mutex;
use tokenizer::{SpecialIds, Tokenizer, VocabTables};

/// Tokens of the vocabulary; token 0 ends a text.
pub(crate) const VOCAB: usize = 24;

/// A time that passes as steps do.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn pass(&self, micros: u64) {
        self.0.fetch_add(micros, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Box<dyn FnMut() -> Duration + Send> {
        let clock = self.clone();
        Box::new(move || Duration::from_micros(clock.0.load(Ordering::Relaxed)))
    }
}

pub(crate) struct Fake {
    /// `[num_blocks, BLOCK_TOKENS]`.
    states: Vec<u64>,
    num_blocks: usize,
    window: Option<Window>,
    /// `[window.num_blocks, BLOCK_TOKENS]`.
    seen: Vec<u64>,
    max_tokens: usize,
    max_outputs: usize,
    logits: Vec<f32>,
    num_outputs: usize,
    /// `[n_rows, 2]`: position and token, which a hidden state can be told by.
    hidden: Vec<f32>,
    clock: Clock,
    /// How strongly the last token foretells the next: texts then repeat themselves.
    pub(crate) habit: f32,
}

impl Fake {
    pub(crate) fn new(
        num_blocks: usize,
        max_tokens: usize,
        max_outputs: usize,
        clock: Clock,
    ) -> Self {
        Self {
            states: vec![0; num_blocks * BLOCK_TOKENS],
            num_blocks,
            window: None,
            seen: Vec::new(),
            max_tokens,
            max_outputs,
            logits: vec![0.0; max_outputs * VOCAB],
            num_outputs: 0,
            hidden: Vec::new(),
            clock,
            habit: 0.0,
        }
    }

    /// With a layer that sees `len` positions.
    pub(crate) fn with_window(mut self, len: usize, num_blocks: usize) -> Self {
        self.window = Some(Window { len, num_blocks });
        self.seen = vec![0; num_blocks * BLOCK_TOKENS];
        self
    }

    fn cache(&mut self, kept: Kept) -> &mut [u64] {
        match kept {
            Kept::All => &mut self.states,
            Kept::Window => &mut self.seen,
        }
    }

    /// What the window shows at a position, whose own number it gets.
    fn look(&mut self, table: &[u32], position: usize, token: u32) -> u64 {
        let Some(Window { len, .. }) = self.window else {
            return 0;
        };
        let slot = |position: usize| {
            table[position / BLOCK_TOKENS] as usize * BLOCK_TOKENS + position % BLOCK_TOKENS
        };
        self.seen[slot(position)] = mix(position as u64 ^ u64::from(token) << 32);
        let from = (position + 1).saturating_sub(len);
        let all = (from..=position).map(|position| self.seen[slot(position)]);
        all.fold(0, u64::wrapping_add)
    }
}

pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Backend for Fake {
    fn vocab_size(&self) -> usize {
        VOCAB
    }

    fn num_blocks(&self) -> usize {
        self.num_blocks
    }

    fn window(&self) -> Option<Window> {
        self.window
    }

    fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    fn max_outputs(&self) -> usize {
        self.max_outputs
    }

    fn copy_block(&mut self, kept: Kept, from: u32, to: u32) {
        let start = from as usize * BLOCK_TOKENS;
        self.cache(kept)
            .copy_within(start..start + BLOCK_TOKENS, to as usize * BLOCK_TOKENS);
    }

    fn block(&self, kept: Kept, block: u32, len: usize) -> Vec<u8> {
        let start = block as usize * BLOCK_TOKENS;
        let cache = match kept {
            Kept::All => &self.states,
            Kept::Window => &self.seen,
        };
        let held = cache[start..start + BLOCK_TOKENS].iter().enumerate();
        let held = held.map(|(i, &state)| if i < len { state } else { 0 });
        held.flat_map(u64::to_le_bytes).collect()
    }

    fn set_block(&mut self, kept: Kept, block: u32, bytes: &[u8]) {
        let start = block as usize * BLOCK_TOKENS;
        let states = self.cache(kept)[start..start + BLOCK_TOKENS].iter_mut();
        for (state, bytes) in states.zip(bytes.as_chunks::<8>().0) {
            *state = u64::from_le_bytes(*bytes);
        }
    }

    fn block_bytes(&self, kept: Kept) -> usize {
        match (kept, self.window) {
            (Kept::Window, None) => 0,
            _ => 8 * BLOCK_TOKENS,
        }
    }

    fn forward(&mut self, batch: &Batch<'_>) -> Result<(), ReadError> {
        assert!(batch.len() <= self.max_tokens && batch.outputs.len() <= self.max_outputs);
        self.clock.pass(100 + 10 * batch.len() as u64);
        let mut next_output = batch.outputs.iter().peekable();
        let mut row = 0;
        for i in 0..batch.len() {
            let table = batch.block_tables[batch.sequences[i] as usize];
            let slot = |position: usize| {
                table[position / BLOCK_TOKENS] as usize * BLOCK_TOKENS + position % BLOCK_TOKENS
            };
            let position = batch.positions[i] as usize;
            let before = match position {
                0 => 0,
                _ => self.states[slot(position - 1)],
            };
            let own = mix(before.wrapping_mul(31) + u64::from(batch.tokens[i]) + 1);
            self.states[slot(position)] = own;
            let table = batch.window_tables[batch.sequences[i] as usize];
            let state = own ^ self.look(table, position, batch.tokens[i]);
            if next_output.next_if(|&&output| output == i).is_some() {
                let logits = &mut self.logits[row * VOCAB..][..VOCAB];
                for (id, logit) in logits.iter_mut().enumerate() {
                    *logit = (mix(state ^ id as u64) >> 40) as f32 / (1 << 24) as f32 * 4.0;
                }
                // The end comes now and then, not at once.
                logits[0] -= 2.0;
                let expected = (batch.tokens[i] as usize * 7 + 3) % (VOCAB - 1) + 1;
                logits[expected] += self.habit;
                row += 1;
            }
        }
        assert_eq!(row, batch.outputs.len(), "outputs are rows, in order");
        self.num_outputs = row;
        self.hidden.clear();
        for &row in &batch.hidden {
            self.hidden
                .extend([batch.positions[row] as f32, batch.tokens[row] as f32]);
        }
        Ok(())
    }

    fn logits(&self) -> &[f32] {
        &self.logits[..self.num_outputs * VOCAB]
    }

    fn hidden(&self) -> &[f32] {
        &self.hidden
    }
}

/// One letter a token.
pub(crate) fn tokenizer() -> Arc<Tokenizer> {
    let tokens = (0..VOCAB).map(|id| match id {
        0 => "</s>".to_owned(),
        _ => char::from(b'a' + id as u8 - 1).to_string(),
    });
    let mut token_types = vec![1; VOCAB];
    token_types[0] = 3;
    let tables = VocabTables {
        kind: "gpt2".into(),
        merges: vec!["a b".into()],
        tokens: tokens.collect(),
        token_types,
        special: SpecialIds {
            eos: Some(0),
            ..SpecialIds::default()
        },
        ..VocabTables::default()
    };
    Arc::new(Tokenizer::new(tables).expect("a sound vocabulary"))
}

/// What one request got, and whether its reader is still there.
#[derive(Clone, Default)]
pub(crate) struct Inbox {
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
    pub(crate) closed: Arc<Mutex<bool>>,
}

impl Inbox {
    pub(crate) fn text(&self) -> String {
        let events = self.events.lock().expect("no panic");
        let text = |event: &Event| match event {
            Event::Piece { text, .. } => text.clone(),
            _ => String::new(),
        };
        events.iter().map(text).collect()
    }

    pub(crate) fn end(&self) -> Option<engine::Ending> {
        let events = self.events.lock().expect("no panic");
        match events.last() {
            Some(Event::End(ending)) => Some(ending.clone().expect("it can be carried out")),
            _ => None,
        }
    }
}

impl Sink for Inbox {
    fn send(&mut self, event: Event) {
        let mut events = self.events.lock().expect("no panic");
        assert!(
            !matches!(events.last(), Some(Event::End(_))),
            "nothing comes after the end"
        );
        events.push(event);
    }

    fn is_closed(&self) -> bool {
        *self.closed.lock().expect("no panic")
    }
}
