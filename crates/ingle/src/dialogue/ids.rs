//! Ids of calls.

/// Which ids a template wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdStyle {
    /// Nine letters and digits, and nothing else will do (Mistral).
    Nine,
    /// `functions.NAME:INDEX` (Kimi).
    Counted,
    /// Any: `call_` and 24 letters and digits, as OpenAI has them.
    Long,
}

/// Makes ids from a seed: SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
#[derive(Clone, Debug)]
pub(super) struct Ids {
    state: u64,
    style: IdStyle,
}

impl Ids {
    pub(super) fn new(style: IdStyle, seed: u64) -> Self {
        Self { state: seed, style }
    }

    pub(super) fn next(&mut self, name: &str, index: usize) -> String {
        match self.style {
            IdStyle::Nine => self.letters(9),
            IdStyle::Counted => format!("functions.{name}:{index}"),
            IdStyle::Long => format!("call_{}", self.letters(24)),
        }
    }

    fn letters(&mut self, n: usize) -> String {
        const LETTERS: &[u8; 62] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        (0..n)
            .map(|_| char::from(LETTERS[(self.random() % 62) as usize]))
            .collect()
    }

    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
