//! Perplexity as llama-perplexity measures it, so that figures compare.
//!
//! The text is cut into chunks of `ctx` tokens; each is fed from an empty context, its first token
//! replaced by the start token if the vocabulary adds one; and the second half of its predictions counts.

use engine::Runner;

use crate::{Error, Model};

/// Rows of logits that are held at a time.
pub const MAX_OUTPUTS: usize = 64;

/// How well a model predicts a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Perplexity {
    /// `exp` of the mean negative log-likelihood.
    pub ppl: f64,
    /// Standard error of `ppl`.
    pub stderr: f64,
    /// Chunks that were fed.
    pub chunks: usize,
    /// Predictions that counted.
    pub tokens: usize,
}

/// Running sums over predictions.
#[derive(Default)]
struct Sums {
    nll: f64,
    nll_squared: f64,
    count: usize,
}

impl Sums {
    fn perplexity(&self, chunks: usize) -> Perplexity {
        let n = self.count as f64;
        let mean = self.nll / n;
        let variance = self.nll_squared / n - mean * mean;
        let ppl = mean.exp();
        let stderr = if variance > 0.0 {
            (variance / (n - 1.0)).sqrt() * ppl
        } else {
            0.0
        };
        Perplexity {
            ppl,
            stderr,
            chunks,
            tokens: self.count,
        }
    }
}

/// Measures `text` in chunks of `ctx` tokens, at most `max_chunks` of them; `on_chunk` sees each result so far.
///
/// # Errors
/// If the text is shorter than two chunks, `ctx` is less than 8 or more than the model has, or weights that are
/// not in memory cannot be read.
pub fn run(
    model: &Model,
    text: &str,
    ctx: usize,
    max_chunks: Option<usize>,
    mut on_chunk: impl FnMut(usize, &Perplexity),
) -> Result<Perplexity, Error> {
    let max = model.info().max_seq_len;
    if !(8..=max).contains(&ctx) {
        return Err(Error::Context { ctx, max });
    }
    let tokenizer = model.tokenizer();
    let mut tokens = tokenizer.encode(text, true, false);
    if tokens.len() < 2 * ctx {
        return Err(Error::TextTooShort {
            tokens: tokens.len(),
            needed: 2 * ctx,
        });
    }
    let total = (tokens.len() / ctx)
        .min(max_chunks.unwrap_or(usize::MAX))
        .max(1);
    let mut runner = Runner::new(
        model.model().clone(),
        model.info().kv_type,
        ctx,
        MAX_OUTPUTS,
    );
    let mut sums = Sums::default();
    for (i, chunk) in tokens.chunks_exact_mut(ctx).take(total).enumerate() {
        let targets = chunk.to_vec();
        if let (true, Some(bos)) = (tokenizer.add_bos(), tokenizer.bos()) {
            chunk[0] = bos;
        }
        runner.logits_at(chunk, ctx / 2..ctx - 1, |position, logits| {
            let nll = -log_prob(logits, targets[position + 1]);
            sums.nll += nll;
            sums.nll_squared += nll * nll;
            sums.count += 1;
        })?;
        on_chunk(total, &sums.perplexity(i + 1));
    }
    Ok(sums.perplexity(total))
}

/// Log-softmax of `logits` at `token`.
fn log_prob(logits: &[f32], token: u32) -> f64 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&x| f64::from(x - max).exp()).sum();
    f64::from(logits[token as usize] - max) - sum.ln()
}
