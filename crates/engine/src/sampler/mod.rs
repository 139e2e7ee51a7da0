//! From logits to the next token: llama.cpp's chain of samplers, in its order or the caller's.
//!
//! ```text
//! logits ─bias► ─penalties► ─dry► ─top_n_sigma► ─top_k► ─typ_p► ─top_p► ─min_p► ─xtc► ─temperature► draw
//! ```
//!
//! One file per sampler; each says what it computes and where it comes from. Candidates stay in
//! the order of their ids, cuts are found by selection, and the whole vocabulary is never sorted.
//! With the same parameters, logits and history, the same token comes out: draws are a function of
//! the seed and of how many there were ([`rng`](Rng)), and ties go to the lower id. A NaN among the
//! logits counts as minus infinity; if no logit is finite, all tokens are equally likely.
//!
//! Left out: llama.cpp's `infill` and `adaptive_p`, and grammars, which mask logits before this.

mod candidates;
mod dry;
mod logprobs;
mod min_p;
mod mirostat;
mod order;
mod params;
mod penalties;
mod rng;
mod temperature;
mod top_k;
mod top_n_sigma;
mod top_p;
mod typical;
mod xtc;

#[cfg(test)]
mod tests;

use candidates::Candidates;
pub use dry::DryBreakers;
use dry::DryScratch;
pub use order::Stage;
pub use params::{Mirostat, ParamError, SamplerParams};
pub use rng::Rng;

/// A chosen token.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// The token.
    pub id: u32,
    /// Its log-probability, if [`SamplerParams::logprobs`] asks for it: under the raw logits, unless
    /// [`SamplerParams::logprobs_after`].
    pub logprob: Option<f32>,
    /// The best tokens and their log-probabilities, best first, as many as asked for; then
    /// [`SamplerParams::logprob_tokens`] in their order.
    pub top_logprobs: Vec<(u32, f32)>,
}

/// Chooses the tokens of one sequence.
///
/// A clone goes on exactly as the original would, which is what rolling back needs.
#[derive(Debug, Clone)]
pub struct Sampler {
    params: SamplerParams,
    breakers: DryBreakers,
    vocab_size: usize,
    rng: Rng,
    /// Mirostat's running estimate.
    mu: f32,
    candidates: Candidates,
    window: Vec<u32>,
    dry: DryScratch,
}

impl Sampler {
    /// A sampler for a vocabulary of `vocab_size` tokens. `breakers` are those of
    /// [`SamplerParams::dry_sequence_breakers`] in tokens; without DRY they may be empty.
    ///
    /// # Errors
    /// If a parameter is out of its range.
    ///
    /// # Panics
    /// If the vocabulary is empty.
    pub fn new(
        params: &SamplerParams,
        vocab_size: usize,
        breakers: DryBreakers,
    ) -> Result<Self, ParamError> {
        assert!(vocab_size > 0, "a vocabulary has tokens");
        params.validate()?;
        Ok(Self {
            rng: Rng::new(params.seed),
            mu: 2.0 * params.mirostat_tau,
            params: params.clone(),
            breakers,
            vocab_size,
            candidates: Candidates::default(),
            window: Vec::new(),
            dry: DryScratch::default(),
        })
    }

    /// The same sampler with other parameters, for as many tokens.
    pub(crate) fn shadow(&self, params: SamplerParams, vocab_size: usize) -> Self {
        Self {
            params,
            vocab_size,
            candidates: Candidates::default(),
            ..self.clone()
        }
    }

    /// Takes over where another stands in its random numbers.
    pub(crate) fn follow(&mut self, other: &Self) {
        self.rng.clone_from(&other.rng);
        self.mu = other.mu;
    }

    /// The parameters in use.
    pub fn params(&self) -> &SamplerParams {
        &self.params
    }

    /// The next token, given `logits` `[vocab_size]` and all tokens so far, prompt included.
    ///
    /// Linear in the vocabulary for all but the work on the few survivors.
    ///
    /// # Panics
    /// If there are not `vocab_size` logits.
    pub fn sample(&mut self, logits: &[f32], history: &[u32]) -> Sampled {
        self.sample_among(logits, history, None, &[])
    }

    /// [`Sampler::sample`] among the tokens of `allowed` only, a bit set (token `i` is bit `i % 32` of word
    /// `i / 32`), and none of `banned` unless there is nothing else.
    ///
    /// # Panics
    /// As for [`Sampler::sample`], or if `allowed` has no token of the vocabulary.
    pub fn sample_among(
        &mut self,
        logits: &[f32],
        history: &[u32],
        allowed: Option<&[u32]>,
        banned: &[u32],
    ) -> Sampled {
        assert_eq!(
            logits.len(),
            self.vocab_size,
            "one logit per token of the vocabulary"
        );
        self.candidates.load(logits);
        if let Some(allowed) = allowed {
            self.candidates.keep_set(allowed);
        }
        self.candidates.drop_all(banned);
        penalties::apply_bias(&mut self.candidates, &self.params.logit_bias);
        let id = match self.params.mirostat {
            Mirostat::Off => {
                self.run_stages(history);
                let at = self.draw();
                self.candidates.at(at).id
            }
            version => self.mirostat(version),
        };
        match self.params.logprobs {
            None => Sampled {
                id,
                logprob: None,
                top_logprobs: Vec::new(),
            },
            Some(n) if self.params.logprobs_after => {
                let (logprob, top_logprobs) = logprobs::after(id, n, &mut self.candidates);
                Sampled {
                    id,
                    logprob: Some(logprob),
                    top_logprobs,
                }
            }
            Some(n) => self.report(logits, id, n),
        }
    }

    /// A token that had to come, with its log-probability if that is asked for.
    pub(crate) fn forced(&mut self, logits: &[f32], id: u32) -> Sampled {
        let logprobs = self.params.logprobs;
        match logprobs {
            Some(n) if !self.params.logprobs_after => self.report(logits, id, n),
            wanted => Sampled {
                id,
                logprob: wanted.map(|_| 0.0),
                top_logprobs: wanted
                    .map_or(Vec::new(), |n| Vec::from_iter((n > 0).then_some((id, 0.0)))),
            },
        }
    }

    /// A token that was not chosen here, with its log-probability and the best `n`.
    pub fn report(&mut self, logits: &[f32], id: u32, n: usize) -> Sampled {
        let others = &self.params.logprob_tokens;
        let (logprob, top_logprobs) = logprobs::of(logits, id, n, others, &mut self.candidates);
        Sampled {
            id,
            logprob: Some(logprob),
            top_logprobs,
        }
    }

    fn run_stages(&mut self, history: &[u32]) {
        let Self {
            params: p,
            candidates,
            ..
        } = self;
        for stage in &p.samplers {
            match stage {
                Stage::Penalties => penalties::apply(candidates, p, history, &mut self.window),
                Stage::Dry => dry::apply(candidates, p, &self.breakers, history, &mut self.dry),
                Stage::TopNSigma => top_n_sigma::apply(candidates, p.top_n_sigma),
                Stage::TopK => top_k::apply(candidates, p.top_k),
                Stage::Typical => typical::apply(candidates, p.typ_p, p.min_keep),
                Stage::TopP => top_p::apply(candidates, p.top_p, p.min_keep),
                Stage::MinP => min_p::apply(candidates, p.min_p, p.min_keep),
                Stage::Xtc => xtc::apply(
                    candidates,
                    p.xtc_probability,
                    p.xtc_threshold,
                    p.min_keep,
                    &mut self.rng,
                ),
                Stage::Temperature => {
                    temperature::apply(candidates, p.temp, p.dynatemp_range, p.dynatemp_exponent);
                }
            }
        }
    }

    fn mirostat(&mut self, version: Mirostat) -> u32 {
        temperature::apply(&mut self.candidates, self.params.temp, 0.0, 1.0);
        mirostat::truncate(&mut self.candidates, version, self.mu, self.vocab_size);
        let at = self.draw();
        let prob = self.candidates.probs()[at];
        self.mu = mirostat::next_mu(self.mu, prob, &self.params);
        self.candidates.at(at).id
    }

    /// Draws from the candidates' softmax by inverting its cumulative sum; their place in the list.
    /// A single candidate costs no random number.
    fn draw(&mut self) -> usize {
        if self.candidates.len() == 1 {
            return 0;
        }
        let probs = self.candidates.probs();
        let total: f64 = probs.iter().map(|&p| f64::from(p)).sum();
        let mut left = self.rng.uniform() * total;
        let mut last = 0;
        for (at, &p) in probs.iter().enumerate() {
            if p > 0.0 {
                last = at;
                left -= f64::from(p);
                if left < 0.0 {
                    break;
                }
            }
        }
        last
    }
}
