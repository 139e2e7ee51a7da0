//! Files whose metadata or tensors make no model: an error that names the thing, no panic, no memory.
//!
//! A binary of its own, with one test, because it watches the peak of memory.

use formats::gguf::{Array, Value};
use formats::{Error as FormatError, Gguf};
use model::{LoadError, LoadOptions, Model};
use peak_alloc::PeakAlloc;
use tensor::DType;
use testkit::TinyModel;
use testkit::tiny::Parts;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn load(parts: &Parts) -> Result<Model, LoadError> {
    let gguf = Gguf::parse(parts.write())?;
    Model::load(
        &gguf,
        &LoadOptions {
            num_threads: 1,
            level: None,
        },
    )
}

fn good() -> Parts {
    TinyModel {
        rope_freqs: true,
        biases: &["attn", "ffn"],
        ..TinyModel::default()
    }
    .parts()
}

/// What a file is spoilt by, and what the message must say.
struct Case {
    spoil: Box<dyn Fn(&mut Parts)>,
    says: &'static [&'static str],
}

fn set(key: &'static str, value: Value, says: &'static [&'static str]) -> Case {
    Case {
        spoil: Box::new(move |parts| parts.metadata.insert(key, value.clone())),
        says,
    }
}

fn number(key: &'static str, x: u32, says: &'static [&'static str]) -> Case {
    set(key, Value::U32(x), says)
}

/// Eight experts of which two are used, and this.
fn experts(key: &'static str, x: u32, says: &'static [&'static str]) -> Case {
    let spoil = move |parts: &mut Parts| {
        for (key, x) in [
            ("llama.expert_count", 8),
            ("llama.expert_used_count", 2),
            (key, x),
        ] {
            parts.metadata.insert(key, Value::U32(x));
        }
    };
    spoilt(spoil, says)
}

fn spoilt(spoil: impl Fn(&mut Parts) + 'static, says: &'static [&'static str]) -> Case {
    Case {
        spoil: Box::new(spoil),
        says,
    }
}

/// Leaves a key or a tensor out.
fn without(name: &'static str, says: &'static [&'static str]) -> Case {
    let spoil = move |parts: &mut Parts| {
        let mut metadata = formats::Metadata::new();
        let kept = parts.metadata.iter().filter(|(key, _)| *key != name);
        kept.for_each(|(key, value)| metadata.insert(key, value.clone()));
        parts.metadata = metadata;
        parts.tensors.retain(|tensor| tensor.name != name);
    };
    spoilt(spoil, says)
}

fn shape(name: &'static str, shape: &'static [usize], says: &'static [&'static str]) -> Case {
    let spoil = move |parts: &mut Parts| {
        let tensor = parts.tensor(name);
        tensor.shape = shape.to_vec();
        tensor.data = vec![
            0;
            tensor
                .dtype
                .row_bytes(shape.iter().product())
                .expect("blocks")
        ];
    };
    spoilt(spoil, says)
}

fn dtype(name: &'static str, dtype: DType, says: &'static [&'static str]) -> Case {
    let spoil = move |parts: &mut Parts| {
        let tensor = parts.tensor(name);
        tensor.dtype = dtype;
        let len = tensor.shape.iter().product();
        tensor.data = vec![0; dtype.row_bytes(len).expect("blocks")];
    };
    spoilt(spoil, says)
}

fn floats(name: &'static str, value: f32, says: &'static [&'static str]) -> Case {
    let spoil = move |parts: &mut Parts| {
        let data = &mut parts.tensor(name).data;
        data[4..8].copy_from_slice(&value.to_le_bytes());
    };
    spoilt(spoil, says)
}

fn sizes() -> Vec<Case> {
    const LAYERS: &str = "llama.block_count";
    const CONTEXT: &str = "llama.context_length";
    const WIDTH: &str = "llama.embedding_length";
    const D_FF: &str = "llama.feed_forward_length";
    vec![
        number(LAYERS, 0, &[LAYERS, "found 0"]),
        number(LAYERS, 513, &[LAYERS, "at most 512", "found 513"]),
        number(LAYERS, u32::MAX, &[LAYERS, "found 4294967295"]),
        number(LAYERS, 3, &["blk.2.attn_norm.weight", "missing"]),
        number(LAYERS, 1, &["blk.1.attn_norm.weight", "unknown"]),
        set(LAYERS, Value::I32(-1), &[LAYERS, "-1"]),
        set(LAYERS, Value::String("two".into()), &[LAYERS, "two"]),
        without(LAYERS, &[LAYERS, "missing"]),
        number(CONTEXT, 0, &[CONTEXT, "found 0"]),
        number(CONTEXT, u32::MAX, &[CONTEXT, "found 4294967295"]),
        number(WIDTH, 0, &[WIDTH, "found 0"]),
        number(WIDTH, 128, &["token_embd.weight", "[99, 128]", "[99, 64]"]),
        number(
            WIDTH,
            16_777_216,
            &["key_length", "up to 1024", "found 4194304"],
        ),
        set(WIDTH, Value::U64(1 << 60), &[WIDTH, "1152921504606846976"]),
        number(D_FF, 0, &[D_FF, "found 0"]),
        number(
            D_FF,
            161,
            &["blk.0.ffn_gate.weight", "[161, 64]", "[160, 64]"],
        ),
        set(
            D_FF,
            Value::Array(Array::U32(vec![160])),
            &[D_FF, "2 numbers", "1 numbers"],
        ),
        set(
            D_FF,
            Value::Array(Array::U32(vec![160; 3])),
            &[D_FF, "2 numbers", "3 numbers"],
        ),
        set(
            D_FF,
            Value::Array(Array::U32(vec![160, 0])),
            &[D_FF, "[160, 0]"],
        ),
        set(
            D_FF,
            Value::Array(Array::U32(vec![160, 161])),
            &["blk.1.ffn_gate.weight"],
        ),
        set(
            D_FF,
            Value::Array(Array::F32(vec![160.5; 2])),
            &[D_FF, "expected an array", "f32"],
        ),
        set(D_FF, Value::Array(Array::U32(vec![])), &[D_FF, "0 numbers"]),
    ]
}

fn heads() -> Vec<Case> {
    const HEADS: &str = "llama.attention.head_count";
    const KV_HEADS: &str = "llama.attention.head_count_kv";
    const KEY_LENGTH: &str = "llama.attention.key_length";
    const VALUE_LENGTH: &str = "llama.attention.value_length";
    let lengths = |key: u32, value: u32, says| {
        let spoil = move |parts: &mut Parts| {
            parts
                .metadata
                .insert("llama.attention.key_length", Value::U32(key));
            parts
                .metadata
                .insert("llama.attention.value_length", Value::U32(value));
        };
        spoilt(spoil, says)
    };
    vec![
        number(HEADS, 0, &[HEADS, "found 0"]),
        number(HEADS, 5, &[HEADS, "divisor of 64", "found 5"]),
        number(HEADS, 64, &["key_length", "even number", "found 1"]),
        number(HEADS, u32::MAX, &[HEADS, "found 4294967295"]),
        number(KV_HEADS, 0, &[KV_HEADS, "found 0"]),
        number(KV_HEADS, 3, &[KV_HEADS, "divisor of 4", "found 3"]),
        number(KV_HEADS, 8, &[KV_HEADS, "divisor of 4", "found 8"]),
        number(
            KV_HEADS,
            4,
            &["blk.0.attn_k.weight", "[64, 64]", "[32, 64]"],
        ),
        set(
            KV_HEADS,
            Value::Array(Array::I32(vec![2; 5])),
            &[KV_HEADS, "2 numbers"],
        ),
        set(
            KV_HEADS,
            Value::Array(Array::I32(vec![2, -2])),
            &[KV_HEADS, "expected an array", "i32"],
        ),
        lengths(0, 0, &[KEY_LENGTH, "found 0"]),
        lengths(17, 17, &[KEY_LENGTH, "even number", "found 17"]),
        lengths(1026, 1026, &[KEY_LENGTH, "up to 1024", "found 1026"]),
        lengths(16_777_216, 16_777_216, &[KEY_LENGTH, "found 16777216"]),
        lengths(16, 32, &[VALUE_LENGTH, "expected 16", "found 32"]),
        lengths(32, 32, &["blk.0.attn_q.weight", "[128, 64]", "[64, 64]"]),
    ]
}

fn positions() -> Vec<Case> {
    const DIMS: &str = "llama.rope.dimension_count";
    const THETA: &str = "llama.rope.freq_base";
    const KIND: &str = "llama.rope.scaling.type";
    const FACTOR: &str = "llama.rope.scaling.factor";
    let float = |key, x, says| set(key, Value::F32(x), says);
    let linear = |x: f32, says| {
        let spoil = move |parts: &mut Parts| {
            parts
                .metadata
                .insert("llama.rope.scaling.type", Value::String("linear".into()));
            parts
                .metadata
                .insert("llama.rope.scaling.factor", Value::F32(x));
        };
        spoilt(spoil, says)
    };
    vec![
        number(DIMS, 0, &[DIMS, "found 0"]),
        number(DIMS, 7, &[DIMS, "even number up to 16", "found 7"]),
        number(DIMS, 18, &[DIMS, "even number up to 16", "found 18"]),
        number(DIMS, 16_777_216, &[DIMS, "found 16777216"]),
        number(DIMS, 8, &["rope_freqs.weight", "[4]", "[8]"]),
        float(THETA, 0.0, &[THETA, "found 0"]),
        float(THETA, -10_000.0, &[THETA, "found -10000"]),
        float(THETA, f32::INFINITY, &[THETA, "found inf"]),
        float(THETA, f32::NAN, &[THETA, "found NaN"]),
        set(
            KIND,
            Value::String("xdrope".into()),
            &["rope scaling `xdrope`", KIND, "not supported"],
        ),
        set(KIND, Value::String("yarn".into()), &[FACTOR, "missing"]),
        set(
            KIND,
            Value::String("longrope".into()),
            &["rope_factors_short.weight", "missing"],
        ),
        set(KIND, Value::String("linear".into()), &[FACTOR, "missing"]),
        linear(0.0, &[FACTOR, "found 0"]),
        linear(f32::NAN, &[FACTOR, "found NaN"]),
        float(
            "llama.rope.scale_linear",
            0.0,
            &["llama.rope.scale_linear", "found 0"],
        ),
        floats(
            "rope_freqs.weight",
            0.0,
            &["rope_freqs.weight", "positive", "found 0"],
        ),
        floats(
            "rope_freqs.weight",
            -1.0,
            &["rope_freqs.weight", "positive", "found -1"],
        ),
        floats(
            "rope_freqs.weight",
            f32::NAN,
            &["rope_freqs.weight", "positive", "found NaN"],
        ),
        set(
            "llama.attention.sliding_window",
            Value::I32(-5),
            &["sliding_window", "-5"],
        ),
    ]
}

fn others() -> Vec<Case> {
    const ARCHITECTURE: &str = "general.architecture";
    const EPS: &str = "llama.attention.layer_norm_rms_epsilon";
    vec![
        without(ARCHITECTURE, &[ARCHITECTURE, "missing"]),
        set(ARCHITECTURE, Value::U32(3), &[ARCHITECTURE, "3"]),
        set(
            ARCHITECTURE,
            Value::String("grok".into()),
            &["`grok`", "llama"],
        ),
        set(
            ARCHITECTURE,
            Value::String("".into()),
            &["architecture ``", "llama"],
        ),
        without(EPS, &[EPS, "missing"]),
        set(EPS, Value::F32(0.0), &[EPS, "found 0"]),
        set(EPS, Value::F32(-1e-5), &[EPS, "found -0.00001"]),
        set(EPS, Value::F32(f32::NAN), &[EPS, "found NaN"]),
        set(EPS, Value::F64(1e300), &[EPS]),
        number(
            "llama.expert_count",
            8,
            &["llama.expert_used_count", "missing"],
        ),
        experts(
            "llama.expert_used_count",
            9,
            &["expert_used_count", "at most 8", "found 9"],
        ),
        experts(
            "llama.expert_gating_func",
            7,
            &["expert_gating_func", "found 7"],
        ),
        experts(
            "llama.expert_group_count",
            3,
            &["expert_group_used_count", "missing"],
        ),
        experts(
            "llama.expert_shared_count",
            1000,
            &["expert_shared_count", "found 1000"],
        ),
        experts(
            "llama.expert_group_count",
            0,
            &["blk.0.ffn_gate_exps.weight", "missing"],
        ),
        number(
            "llama.nextn_predict_layers",
            2,
            &["nextn_predict_layers", "fewer than 2", "found 2"],
        ),
        without("token_embd.weight", &["token_embd.weight", "missing"]),
        without("output_norm.weight", &["output_norm.weight", "missing"]),
        // Optional, but not in some layers only.
        without(
            "blk.0.attn_k.bias",
            &["`blk.0.attn_k.bias` is missing", "blk.1.attn_k.bias"],
        ),
        without(
            "blk.1.ffn_up.bias",
            &["`blk.1.ffn_up.bias` is missing", "blk.0.ffn_up.bias"],
        ),
        without(
            "blk.1.ffn_down.weight",
            &["blk.1.ffn_down.weight", "missing"],
        ),
        spoilt(
            |parts| parts.tensors.clear(),
            &["token_embd.weight", "a vocabulary and no weights"],
        ),
        shape(
            "token_embd.weight",
            &[0, 64],
            &["token_embd.weight", "[0, 64]"],
        ),
        shape(
            "token_embd.weight",
            &[99 * 64],
            &["token_embd.weight", "[6336]"],
        ),
        shape(
            "token_embd.weight",
            &[100, 64],
            &["output.weight", "[100, 64]", "[99, 64]"],
        ),
        shape(
            "output.weight",
            &[98, 64],
            &["output.weight", "[99, 64]", "[98, 64]"],
        ),
        shape(
            "blk.0.attn_q.weight",
            &[32, 128],
            &["blk.0.attn_q.weight", "[32, 128]"],
        ),
        shape(
            "blk.0.attn_q.weight",
            &[1, 64, 64],
            &["blk.0.attn_q.weight", "[1, 64, 64]"],
        ),
        shape(
            "blk.0.attn_q.bias",
            &[63],
            &["blk.0.attn_q.bias", "[64]", "[63]"],
        ),
        shape(
            "blk.1.attn_norm.weight",
            &[65],
            &["blk.1.attn_norm.weight", "[64]", "[65]"],
        ),
        dtype(
            "output_norm.weight",
            DType::Q8_0,
            &["output_norm.weight", "Q8_0"],
        ),
        dtype(
            "blk.0.ffn_up.weight",
            DType::I32,
            &["blk.0.ffn_up.weight", "I32"],
        ),
        dtype(
            "blk.0.ffn_up.weight",
            DType::Q8_1,
            &["blk.0.ffn_up.weight", "Q8_1"],
        ),
        dtype("blk.0.attn_v.bias", DType::I8, &["blk.0.attn_v.bias", "I8"]),
        spoilt(
            |parts| parts.push_f32("blk.0.attn_q_norm.weight", &[1.0; 16]),
            &["blk.0.attn_q_norm.weight", "unknown to this architecture"],
        ),
        spoilt(
            |parts| parts.push_f32("blk.00.attn_norm.weight", &[1.0; 64]),
            &["blk.00.attn_norm.weight", "unknown"],
        ),
    ]
}

/// What only [`TinyModel::gemma2`] has.
fn caps_and_post_norms() -> Vec<Case> {
    const CAP: &str = "gemma2.attn_logit_softcapping";
    const LOGIT_CAP: &str = "gemma2.final_logit_softcapping";
    const WINDOW: &str = "gemma2.attention.sliding_window";
    vec![
        set(CAP, Value::F32(0.0), &[CAP, "positive", "found 0"]),
        set(CAP, Value::F32(f32::NAN), &[CAP, "positive", "found NaN"]),
        set(LOGIT_CAP, Value::F32(-30.0), &[LOGIT_CAP, "found -30"]),
        set(LOGIT_CAP, Value::String("30".into()), &[LOGIT_CAP]),
        number(WINDOW, 0, &[WINDOW, "found 0"]),
        without(
            "blk.1.post_attention_norm.weight",
            &["blk.1.post_attention_norm.weight", "missing"],
        ),
        shape(
            "blk.0.post_ffw_norm.weight",
            &[63],
            &["blk.0.post_ffw_norm.weight", "[64]", "[63]"],
        ),
    ]
}

#[test]
fn every_lie_gets_an_error_that_names_it() {
    let mut cases = Vec::new();
    cases.extend([sizes(), heads(), positions(), others()]);
    check(&good(), cases.into_iter().flatten());
    check(&TinyModel::gemma2().parts(), caps_and_post_norms());
    rows_that_are_no_whole_blocks();
}

fn check(good: &Parts, cases: impl IntoIterator<Item = Case>) {
    let model = load(good).unwrap_or_else(|error| panic!("the file before spoiling: {error}"));
    drop(model);
    let mut failures = Vec::new();
    for case in cases {
        let mut parts = good.clone();
        (case.spoil)(&mut parts);
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let message = match load(&parts) {
            Ok(_) => "it loads".to_owned(),
            Err(error) => error.to_string(),
        };
        // The file itself, its index, and nothing that grows with what it claims.
        let used = MEMORY.peak_usage().saturating_sub(before);
        let size = parts.write().len();
        if used > 4 * size + (1 << 20) {
            failures.push(format!(
                "{:?}: {used} bytes for a file of {size}",
                case.says
            ));
        }
        if !case.says.iter().all(|part| message.contains(part)) {
            failures.push(format!("expected {:?}, found: {message}", case.says));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Such a matrix cannot even be written, so its description is spoilt in the bytes of a file.
fn rows_that_are_no_whole_blocks() {
    let mut parts = good();
    let tensor = parts.tensor("blk.0.ffn_down.weight");
    tensor.dtype = DType::Q8_0;
    tensor.data = vec![0; DType::Q8_0.row_bytes(64 * 160).expect("blocks")];
    let mut file = parts.write();
    // After the name: the number of dimensions (4 bytes), then the innermost one (8 bytes).
    let name = b"blk.0.ffn_down.weight";
    let at = file.windows(name.len()).position(|window| window == name);
    let at = at.expect("the name is there") + name.len() + 4;
    file[at..at + 8].copy_from_slice(&161_u64.to_le_bytes());
    let error = Gguf::parse(file).expect_err("161 is no multiple of 32");
    assert!(
        matches!(error.root(), FormatError::Blocks { row: 161, .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("blk.0.ffn_down.weight"),
        "{error}"
    );
}
