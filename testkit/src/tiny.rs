//! Small random models, as GGUF files in memory.

use formats::gguf::{Metadata, Value};
use formats::{Gguf, GgufWriter};
use tensor::DType;

use crate::{Random, weights};

/// What a model looks like; change what a test is about and [`TinyModel::build`] it.
#[derive(Clone, Debug)]
pub struct TinyModel {
    /// `general.architecture`, and what keys begin with.
    pub architecture: &'static str,
    /// Seed of the weights.
    pub seed: u64,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Layers.
    pub n_layers: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads.
    pub n_kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Elements of a head that turn.
    pub rope_dim: usize,
    /// Width of the feed-forward network.
    pub d_ff: usize,
    /// Tokens.
    pub vocab_size: usize,
    /// Context length.
    pub max_seq_len: usize,
    /// Type of all matrices.
    pub dtype: DType,
    /// Other types for matrices whose name contains the text; the first that fits.
    pub mixed: Vec<(&'static str, DType)>,
    /// Whether the output is the embedding.
    pub tied: bool,
    /// Whether the file has divisors of the rotary frequencies (Llama 3.1).
    pub rope_freqs: bool,
    /// Divides rotary frequencies, if set.
    pub rope_linear: Option<f32>,
    /// Base of the rotary frequencies.
    pub rope_theta: f32,
    /// Positions that a token sees, if not all.
    pub window: Option<u32>,
    /// Which matrices of layers have biases: those whose name begins with one of these.
    pub biases: &'static [&'static str],
    /// Whether what attention and FFN give is normed.
    pub post_norms: bool,
    /// Bound on scores, if any.
    pub softcap: Option<f32>,
    /// Bound on logits, if any.
    pub logit_softcap: Option<f32>,
}

impl Default for TinyModel {
    /// Grouped queries, two layers, F32, an output of its own.
    fn default() -> Self {
        Self {
            architecture: "llama",
            seed: 1,
            d_model: 64,
            n_layers: 2,
            n_heads: 4,
            n_kv_heads: 2,
            head_dim: 16,
            rope_dim: 16,
            d_ff: 160,
            vocab_size: 99,
            max_seq_len: 256,
            dtype: DType::F32,
            mixed: Vec::new(),
            tied: false,
            rope_freqs: false,
            rope_linear: None,
            rope_theta: 10_000.0,
            window: None,
            biases: &[],
            post_norms: false,
            softcap: None,
            logit_softcap: None,
        }
    }
}

/// A tensor on its way into a file.
#[derive(Clone, Debug)]
pub struct TinyTensor {
    /// Its name.
    pub name: String,
    /// Its type.
    pub dtype: DType,
    /// Outermost first.
    pub shape: Vec<usize>,
    /// As long as type and shape say.
    pub data: Vec<u8>,
}

/// The contents of a file, to be spoilt by tests.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Keys and values.
    pub metadata: Metadata,
    /// In file order.
    pub tensors: Vec<TinyTensor>,
}

impl TinyModel {
    /// With every width a multiple of 256, so that all quant types fit, and all matrices of `dtype`.
    pub fn quantized(dtype: DType) -> Self {
        Self {
            d_model: 256,
            n_heads: 4,
            n_kv_heads: 2,
            head_dim: 64,
            rope_dim: 64,
            d_ff: 512,
            dtype,
            ..Self::default()
        }
    }

    /// As Qwen 2: biases on query, key and value.
    pub fn qwen2() -> Self {
        Self {
            architecture: "qwen2",
            biases: &["attn_q", "attn_k", "attn_v"],
            ..Self::default()
        }
    }

    /// As Gemma 2, with caps low enough to bend every score and logit, and a short window.
    pub fn gemma2() -> Self {
        Self {
            architecture: "gemma2",
            tied: true,
            window: Some(20),
            post_norms: true,
            softcap: Some(2.0),
            logit_softcap: Some(10.0),
            ..Self::default()
        }
    }

    /// The file, parsed.
    pub fn build(&self) -> Gguf {
        Gguf::parse(self.parts().write()).expect("what was just written")
    }

    /// The contents of the file.
    pub fn parts(&self) -> Parts {
        let mut parts = Parts {
            metadata: self.metadata(),
            tensors: Vec::new(),
        };
        let mut random = Random::new(self.seed);
        let (d, q_dim) = (self.d_model, self.n_heads * self.head_dim);
        let kv_dim = self.n_kv_heads * self.head_dim;
        self.matrix(&mut parts, &mut random, "token_embd", self.vocab_size, d);
        for i in 0..self.n_layers {
            let name = |role: &str| format!("blk.{i}.{role}");
            self.gain(&mut parts, &mut random, &name("attn_norm"));
            self.gain(&mut parts, &mut random, &name("ffn_norm"));
            if self.post_norms {
                self.gain(&mut parts, &mut random, &name("post_attention_norm"));
                self.gain(&mut parts, &mut random, &name("post_ffw_norm"));
            }
            for (role, n, k) in [
                ("attn_q", q_dim, d),
                ("attn_k", kv_dim, d),
                ("attn_v", kv_dim, d),
                ("attn_output", d, q_dim),
                ("ffn_gate", self.d_ff, d),
                ("ffn_up", self.d_ff, d),
                ("ffn_down", d, self.d_ff),
            ] {
                self.matrix(&mut parts, &mut random, &name(role), n, k);
                if self.biases.iter().any(|start| role.starts_with(start)) {
                    let bias = random.normals(n, 0.3);
                    parts.push_f32(&format!("{}.bias", name(role)), &bias);
                }
            }
        }
        self.gain(&mut parts, &mut random, "output_norm");
        if !self.tied {
            self.matrix(&mut parts, &mut random, "output", self.vocab_size, d);
        }
        if self.rope_freqs {
            let divisors: Vec<f32> = (0..self.rope_dim / 2)
                .map(|i| 1.0 + i as f32 * 0.37)
                .collect();
            parts.push_f32("rope_freqs.weight", &divisors);
        }
        parts
    }

    fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::new();
        let architecture = self.architecture;
        metadata.insert("general.architecture", Value::String(architecture.into()));
        let mut number = |key: &str, x: usize| {
            metadata.insert(&format!("{architecture}.{key}"), Value::U32(x as u32));
        };
        number("block_count", self.n_layers);
        number("context_length", self.max_seq_len);
        number("embedding_length", self.d_model);
        number("feed_forward_length", self.d_ff);
        number("attention.head_count", self.n_heads);
        number("attention.head_count_kv", self.n_kv_heads);
        number("rope.dimension_count", self.rope_dim);
        if self.head_dim * self.n_heads != self.d_model {
            number("attention.key_length", self.head_dim);
            number("attention.value_length", self.head_dim);
        }
        if let Some(window) = self.window {
            number("attention.sliding_window", window as usize);
        }
        let mut float = |key: &str, x: f32| {
            metadata.insert(&format!("{architecture}.{key}"), Value::F32(x));
        };
        float("attention.layer_norm_rms_epsilon", 1e-5);
        float("rope.freq_base", self.rope_theta);
        if let Some(factor) = self.rope_linear {
            float("rope.scaling.factor", factor);
        }
        if let Some(cap) = self.softcap {
            float("attn_logit_softcapping", cap);
        }
        if let Some(cap) = self.logit_softcap {
            float("final_logit_softcapping", cap);
        }
        if self.rope_linear.is_some() {
            let key = format!("{architecture}.rope.scaling.type");
            metadata.insert(&key, Value::String("linear".into()));
        }
        metadata
    }

    fn matrix(&self, parts: &mut Parts, random: &mut Random, role: &str, n: usize, k: usize) {
        let name = format!("{role}.weight");
        let special = self.mixed.iter().find(|(part, _)| name.contains(part));
        let dtype = special.map_or(self.dtype, |(_, dtype)| *dtype);
        // Each layer leaves the size of the stream about as it is.
        let scale = if role == "token_embd" {
            1.0
        } else {
            1.0 / (k as f32).sqrt()
        };
        let data = weights::random(dtype, n * k, scale, random);
        parts.tensors.push(TinyTensor {
            name,
            dtype,
            shape: vec![n, k],
            data,
        });
    }

    fn gain(&self, parts: &mut Parts, random: &mut Random, role: &str) {
        let gain = random.normals(self.d_model, 0.2);
        let gain: Vec<f32> = gain.into_iter().map(|x| 1.0 + x).collect();
        parts.push_f32(&format!("{role}.weight"), &gain);
    }
}

impl Parts {
    /// Those of a file.
    pub fn of(gguf: &Gguf) -> Self {
        let copy = |tensor: &formats::Tensor| TinyTensor {
            name: tensor.name.clone(),
            dtype: tensor.dtype,
            shape: tensor.shape.clone(),
            data: tensor.data.to_vec(),
        };
        Self {
            metadata: gguf.metadata().clone(),
            tensors: gguf.tensors().iter().map(copy).collect(),
        }
    }

    /// Adds a vector.
    pub fn push_f32(&mut self, name: &str, values: &[f32]) {
        self.tensors.push(TinyTensor {
            name: name.to_owned(),
            dtype: DType::F32,
            shape: vec![values.len()],
            data: values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        });
    }

    /// The tensor of this name.
    pub fn tensor(&mut self, name: &str) -> &mut TinyTensor {
        let tensor = self.tensors.iter_mut().find(|tensor| tensor.name == name);
        tensor.unwrap_or_else(|| panic!("no tensor `{name}`"))
    }

    /// The file.
    pub fn write(&self) -> Vec<u8> {
        let mut writer = GgufWriter::new(self.metadata.clone()).expect("sound metadata");
        for tensor in &self.tensors {
            let TinyTensor {
                name,
                dtype,
                shape,
                data,
            } = tensor;
            writer
                .tensor(name, *dtype, shape, &**data)
                .expect("a sound tensor");
        }
        let mut file = Vec::new();
        writer.write(&mut file).expect("memory takes everything");
        file
    }
}
