//! Taps: a look at every intermediate result, under llama.cpp's names.
//!
//! A difference from a reference shows first in one tap; everything before it is right.

/// Sees intermediate results as they are made.
pub trait Probe {
    /// `values` is `[n_tokens, width]`; `layer` is none for taps outside layers.
    ///
    /// Names are those of llama.cpp's graph: `inp_embd attn_norm Qcur Kcur Vcur kqv_out attn_out ffn_inp
    /// ffn_norm ffn_out l_out result_norm result_output`, and where a model has them `attn_post_norm`,
    /// `ffn_post_norm` and `ffn_moe_logits`. `inp_embd` is what enters the first layer, scaled and normed. After the last
    /// mixer, only the rows that something is read of may be left.
    fn tap(&mut self, name: &'static str, layer: Option<usize>, values: &[f32]);
}

/// Looks at nothing.
pub struct NoProbe;

impl Probe for NoProbe {
    fn tap(&mut self, _: &'static str, _: Option<usize>, _: &[f32]) {}
}
