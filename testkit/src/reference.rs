//! The oracle: a forward pass in f64, straight from the formulas.
//!
//! One sequence, whole, no cache, no blocks, no online softmax; weights dequantised by `tensor`. Keys and
//! values are rounded to f16 on the way, as caches hold them: the only step that is not continuous, see
//! [`forward`]. Sources: arXiv:2307.09288 (layers), arXiv:2104.09864 (rotary positions), arXiv:2407.10671
//! (Qwen 2), arXiv:2408.00118 (Gemma 2), GGUF's `docs/gguf.md` (keys, interleaved pairs).

use std::collections::HashMap;

use formats::Gguf;
use half::f16;

use crate::weights;

/// Intermediate results by tap name and layer, each `[n_tokens, width]`.
pub type Taps = HashMap<(&'static str, Option<usize>), Vec<f64>>;

/// Everything that the model in `gguf` computes for `tokens` from position 0.
///
/// Names are llama.cpp's; `result_output` are the logits of every token. `cached` may give what
/// another implementation has for `Kcur` or `Vcur` of a layer, and attention then reads that: a
/// number that both have to 7 digits can still fall on either side of a tie in f16, and such a
/// difference of 1/2000 would hide all others.
pub fn forward<'a>(
    gguf: &Gguf,
    tokens: &[u32],
    cached: impl Fn(&'static str, usize) -> Option<&'a [f32]>,
) -> Taps {
    let model = Reference::new(gguf);
    let mut taps = Taps::new();
    let embedding = model.floats("token_embd.weight");
    let rows = tokens.iter().map(|&token| token as usize * model.d_model);
    let mut x: Vec<f64> = rows
        .flat_map(|at| &embedding[at..at + model.d_model])
        .copied()
        .collect();
    if model.gemma2 {
        let scale = (model.d_model as f64).sqrt();
        x.iter_mut().for_each(|x| *x *= scale);
    }
    taps.insert(("inp_embd", None), x.clone());
    for layer in 0..model.n_layers {
        let mut tap = |name, values: &[f64]| {
            taps.insert((name, Some(layer)), values.to_vec());
        };
        let prefix = format!("blk.{layer}");
        let normed = model.norm(&format!("{prefix}.attn_norm"), &x);
        tap("attn_norm", &normed);
        let cached = |name| cached(name, layer);
        let attended = model.attention(layer, &normed, cached, &mut tap);
        let mut delta = model.linear(&format!("{prefix}.attn_output"), &attended, model.q_dim());
        tap("attn_out", &delta);
        if model.has(&format!("{prefix}.post_attention_norm")) {
            delta = model.norm(&format!("{prefix}.post_attention_norm"), &delta);
            tap("attn_post_norm", &delta);
        }
        add(&mut x, &delta);
        tap("ffn_inp", &x);
        let normed = model.norm(&format!("{prefix}.ffn_norm"), &x);
        tap("ffn_norm", &normed);
        let mut gate = model.linear(&format!("{prefix}.ffn_gate"), &normed, model.d_model);
        let up = model.linear(&format!("{prefix}.ffn_up"), &normed, model.d_model);
        for (gate, up) in gate.iter_mut().zip(up) {
            *gate = model.activation(*gate) * up;
        }
        let d_ff = gate.len() / tokens.len();
        let mut delta = model.linear(&format!("{prefix}.ffn_down"), &gate, d_ff);
        tap("ffn_out", &delta);
        if model.has(&format!("{prefix}.post_ffw_norm")) {
            delta = model.norm(&format!("{prefix}.post_ffw_norm"), &delta);
            tap("ffn_post_norm", &delta);
        }
        add(&mut x, &delta);
        tap("l_out", &x);
    }
    let normed = model.norm("output_norm", &x);
    let head = if model.has("output") {
        "output"
    } else {
        "token_embd"
    };
    let mut logits = model.linear(head, &normed, model.d_model);
    if let Some(cap) = model.float("final_logit_softcapping") {
        logits.iter_mut().for_each(|x| *x = capped(*x, cap));
    }
    taps.insert(("result_norm", None), normed);
    taps.insert(("result_output", None), logits);
    taps
}

/// The logits of every token, `[n_tokens, vocab_size]`.
pub fn logits(gguf: &Gguf, tokens: &[u32]) -> Vec<f64> {
    let mut taps = forward(gguf, tokens, |_, _| None);
    taps.remove(&("result_output", None)).expect("always there")
}

/// `cap * tanh(x / cap)`.
fn capped(x: f64, cap: f64) -> f64 {
    cap * (x / cap).tanh()
}

struct Reference<'a> {
    gguf: &'a Gguf,
    architecture: String,
    /// Gemma 2 is told apart by its name in these: a scaled embedding, GELU, a window on every other layer.
    gemma2: bool,
    d_model: usize,
    n_layers: usize,
    n_heads: usize,
    n_kv_heads: usize,
    head_dim: usize,
    eps: f64,
    window: usize,
}

impl<'a> Reference<'a> {
    fn new(gguf: &'a Gguf) -> Self {
        let architecture: String = gguf.metadata().require("general.architecture").unwrap();
        let number = |key: &str| {
            let key = format!("{architecture}.{key}");
            gguf.metadata().opt::<usize>(&key).unwrap()
        };
        let d_model = number("embedding_length").unwrap();
        let n_heads = number("attention.head_count").unwrap();
        let eps = format!("{architecture}.attention.layer_norm_rms_epsilon");
        let eps = gguf.metadata().require(&eps);
        Self {
            gguf,
            d_model,
            n_layers: number("block_count").unwrap(),
            n_heads,
            n_kv_heads: number("attention.head_count_kv").unwrap_or(n_heads),
            head_dim: number("attention.key_length").unwrap_or(d_model / n_heads),
            eps: eps.unwrap(),
            window: number("attention.sliding_window").unwrap_or(usize::MAX),
            gemma2: architecture == "gemma2",
            architecture,
        }
    }

    fn float(&self, key: &str) -> Option<f64> {
        let key = format!("{}.{key}", self.architecture);
        self.gguf.metadata().opt::<f64>(&key).unwrap()
    }

    /// Whether there is a weight of this name.
    fn has(&self, name: &str) -> bool {
        self.gguf.tensor(&format!("{name}.weight")).is_some()
    }

    fn activation(&self, x: f64) -> f64 {
        if self.gemma2 {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + u.tanh())
        } else {
            x / (1.0 + (-x).exp())
        }
    }

    fn q_dim(&self) -> usize {
        self.n_heads * self.head_dim
    }

    fn floats(&self, name: &str) -> Vec<f64> {
        let tensor = self.gguf.tensor(name);
        let tensor = tensor.unwrap_or_else(|| panic!("no tensor `{name}`"));
        let floats = weights::dequantized(tensor.dtype, &tensor.data);
        floats.into_iter().map(f64::from).collect()
    }

    /// `x / sqrt(mean(x²) + eps) * gain` of each row.
    fn norm(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let gain = self.floats(&format!("{name}.weight"));
        let rows = x.chunks_exact(self.d_model).map(|row| {
            let mean = row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64;
            let scale = 1.0 / (mean + self.eps).sqrt();
            let scaled = row.iter().zip(&gain).map(move |(x, gain)| x * scale * gain);
            scaled.collect::<Vec<_>>()
        });
        rows.flatten().collect()
    }

    /// `x w^T + bias` for `x` `[n_tokens, k]`.
    fn linear(&self, name: &str, x: &[f64], k: usize) -> Vec<f64> {
        let w = self.floats(&format!("{name}.weight"));
        let bias = format!("{name}.bias");
        let bias = self.gguf.tensor(&bias).map(|_| self.floats(&bias));
        let mut y = Vec::new();
        for x in x.chunks_exact(k) {
            for (i, w) in w.chunks_exact(k).enumerate() {
                let dot: f64 = x.iter().zip(w).map(|(x, w)| x * w).sum();
                y.push(dot + bias.as_ref().map_or(0.0, |bias| bias[i]));
            }
        }
        y
    }

    /// Attention of the layer without its output matrix.
    fn attention<'b>(
        &self,
        layer: usize,
        normed: &[f64],
        cached: impl Fn(&'static str) -> Option<&'b [f32]>,
        tap: &mut impl FnMut(&'static str, &[f64]),
    ) -> Vec<f64> {
        let linear = |role: &str| self.linear(&format!("blk.{layer}.{role}"), normed, self.d_model);
        let (mut q, mut k, mut v) = (linear("attn_q"), linear("attn_k"), linear("attn_v"));
        self.rope(&mut q, self.n_heads);
        self.rope(&mut k, self.n_kv_heads);
        tap("Qcur", &q);
        tap("Kcur", &k);
        tap("Vcur", &v);
        for (name, x) in [("Kcur", &mut k), ("Vcur", &mut v)] {
            if let Some(other) = cached(name) {
                *x = other.iter().copied().map(f64::from).collect();
            }
            // Not `from_f64`, which drops bits before it rounds.
            x.iter_mut()
                .for_each(|x| *x = f16::from_f32(*x as f32).to_f64());
        }
        let (dim, group) = (self.head_dim, self.n_heads / self.n_kv_heads);
        let scale = 1.0 / (dim as f64).sqrt();
        let softcap = self.float("attn_logit_softcapping");
        let window = if self.gemma2 && layer % 2 == 1 {
            usize::MAX
        } else {
            self.window
        };
        let mut out = vec![0.0; q.len()];
        for (i, (q, out)) in q
            .chunks_exact(dim)
            .zip(out.chunks_exact_mut(dim))
            .enumerate()
        {
            let (position, head) = (i / self.n_heads, i % self.n_heads / group);
            let at = |position: usize| (position * self.n_kv_heads + head) * dim;
            let first = (position + 1).saturating_sub(window);
            let scores = (first..=position).map(|other| {
                let products = q.iter().zip(&k[at(other)..]).map(|(q, k)| q * k);
                let score = products.sum::<f64>() * scale;
                softcap.map_or(score, |cap| capped(score, cap))
            });
            let scores: Vec<f64> = scores.collect();
            let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = scores.iter().map(|score| (score - max).exp()).sum();
            for (other, score) in (first..=position).zip(&scores) {
                let prob = (score - max).exp() / sum;
                for (out, v) in out.iter_mut().zip(&v[at(other)..]) {
                    *out += prob * v;
                }
            }
        }
        tap("kqv_out", &out);
        out
    }

    /// Turns pairs of every head by their position: `2i, 2i + 1` in Llama, `i, i + rope_dim / 2` elsewhere.
    fn rope(&self, x: &mut [f64], n_heads: usize) {
        let rope_dim = self.float("rope.dimension_count");
        let rope_dim = rope_dim.map_or(self.head_dim, |dim| dim as usize);
        let theta = self.float("rope.freq_base").unwrap_or(10_000.0);
        let stretch = self.float("rope.scaling.factor").unwrap_or(1.0);
        let divisors = self.gguf.tensor("rope_freqs.weight");
        let divisors = divisors.map(|tensor| self.floats(&tensor.name));
        for (i, head) in x.chunks_exact_mut(self.head_dim).enumerate() {
            let position = (i / n_heads) as f64;
            for pair in 0..rope_dim / 2 {
                let divisor = divisors.as_ref().map_or(stretch, |by| by[pair] * stretch);
                let angle = position * theta.powf(-2.0 * pair as f64 / rope_dim as f64) / divisor;
                let (i, j) = if self.architecture == "llama" {
                    (2 * pair, 2 * pair + 1)
                } else {
                    (pair, pair + rope_dim / 2)
                };
                let (a, b) = (head[i], head[j]);
                head[i] = a * angle.cos() - b * angle.sin();
                head[j] = a * angle.sin() + b * angle.cos();
            }
        }
    }
}

fn add(x: &mut [f64], delta: &[f64]) {
    for (x, delta) in x.iter_mut().zip(delta) {
        *x += delta;
    }
}
