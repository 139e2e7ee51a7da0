//! Vocabularies, and a sampler that draws any allowed token.

use std::io::Read;
use std::sync::OnceLock;

use engine::grammar::{Grammar, GrammarEngine, GrammarError, GrammarSpec};
use engine::vocab::tokenizer_from_gguf;
use formats::Gguf;
use tokenizer::Tokenizer;

/// A golden vocabulary.
pub(crate) fn tokenizer(name: &str) -> Tokenizer {
    let packed = testkit::golden::bytes(&format!("vocab/{name}.gguf.gz"));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut bytes)
        .expect("it is gzip");
    tokenizer_from_gguf(Gguf::parse(bytes).expect("it parses").metadata())
        .expect("it is a vocabulary")
}

pub(crate) struct Kit {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) engine: GrammarEngine,
    /// How near to the end each token brings a text, and its length in bytes.
    ranks: Vec<(u8, u8)>,
}

impl Kit {
    pub(crate) fn new(name: &str) -> Self {
        let tokenizer = tokenizer(name);
        // More logits than tokens, as many models have.
        let engine =
            GrammarEngine::new(&tokenizer, tokenizer.vocab_size() + 37).expect("it makes a trie");
        let ranks = (0..tokenizer.vocab_size() as u32)
            .map(|id| rank(&tokenizer, id))
            .collect();
        Self {
            tokenizer,
            engine,
            ranks,
        }
    }

    pub(crate) fn compile(&self, spec: GrammarSpec) -> Result<Grammar, GrammarError> {
        self.engine.compile(&spec)
    }

    /// What is written when nothing but the grammar steers, and the tokens.
    pub(crate) fn write(
        &self,
        grammar: &mut Grammar,
        seed: u64,
        patience: usize,
    ) -> (String, Vec<u32>) {
        let mut rng = Rng(seed);
        let mut tokens = Vec::new();
        loop {
            assert!(
                tokens.len() < 4_000,
                "no end: {}",
                self.tokenizer.decode(&tokens, true)
            );
            if grammar.is_stopped() {
                break;
            }
            let allowed = allowed(grammar);
            let token = self.pick(&allowed, &mut rng, tokens.len() > patience);
            grammar.commit(token).expect("the mask allowed it");
            if self.tokenizer.is_eog(token) {
                break;
            }
            tokens.push(token);
        }
        let bytes: Vec<u8> = tokens
            .iter()
            .flat_map(|&id| self.tokenizer.token_bytes(id))
            .collect();
        (
            String::from_utf8(bytes).expect("grammars are of characters"),
            tokens,
        )
    }

    /// Any allowed token at first; then mostly one that brings the end near.
    fn pick(&self, allowed: &[u32], rng: &mut Rng, hurry: bool) -> u32 {
        if !hurry {
            return allowed[rng.below(allowed.len())];
        }
        let rank = |id: u32| self.ranks.get(id as usize).copied().unwrap_or((9, 9));
        let best = allowed.iter().copied().min_by_key(|&id| (rank(id), id));
        let short = allowed.iter().copied().filter(|&id| rank(id).1 == 1);
        let short: Vec<u32> = short.collect();
        match best {
            Some(best) if rng.below(2) == 0 || short.is_empty() => best,
            _ => short[rng.below(short.len())],
        }
    }
}

fn rank(tokenizer: &Tokenizer, id: u32) -> (u8, u8) {
    let bytes = tokenizer.token_bytes(id);
    let kind = match bytes.first() {
        _ if tokenizer.is_eog(id) => 0,
        Some(b'"') => 1,
        Some(b'}' | b']') => 2,
        Some(b'0'..=b'9' | b'n') => 3,
        _ => 4,
    };
    (kind, bytes.len().min(255) as u8)
}

pub(crate) fn allowed(grammar: &mut Grammar) -> Vec<u32> {
    let mask = grammar.mask().expect("there is a mask");
    let mut allowed = Vec::new();
    for (i, &word) in mask.iter().enumerate() {
        let mut rest = word;
        while rest != 0 {
            allowed.push(i as u32 * 32 + rest.trailing_zeros());
            rest &= rest - 1;
        }
    }
    assert!(!allowed.is_empty(), "a mask of nothing");
    allowed
}

/// Qwen2's vocabulary: byte-level BPE, 151,936 tokens.
pub(crate) fn qwen() -> &'static Kit {
    static KIT: OnceLock<Kit> = OnceLock::new();
    KIT.get_or_init(|| Kit::new("qwen2"))
}

/// Llama 2's vocabulary: SentencePiece with byte tokens, 32,000 tokens.
pub(crate) fn llama() -> &'static Kit {
    static KIT: OnceLock<Kit> = OnceLock::new();
    KIT.get_or_init(|| Kit::new("llama-spm"))
}

/// SplitMix64.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}
