//! States of recurrent layers: copied, kept as bytes and put back, side by side in slots.

use formats::gguf::{Array, Value};
use formats::hf::Folder;
use formats::{Gguf, Tensor};
use model::{Batch, KvCache, KvType, LoadOptions, Model, NoProbe, Workspace};
use testkit::distance::relative_rms;
use testkit::golden;

use crate::goldens;
use crate::run::{Ragged, level, load, logits, ragged};

/// Golden models that keep a state, with their names and tokens.
fn models() -> Vec<(String, Model, Vec<u32>)> {
    let models = goldens::files().filter_map(|(name, model)| {
        let model = load(&model, level(), 2);
        let tokens = model.config().has_state().then(|| goldens::tokens(&name))?;
        Some((name, model, tokens))
    });
    let models: Vec<_> = models.collect();
    assert!(models.len() >= 7, "there are models with a state");
    models
}

/// Logits of all tokens of a step from `position` on.
fn step(
    model: &Model,
    cache: &mut KvCache,
    tokens: &[u32],
    position: usize,
    slot: u32,
) -> Vec<f32> {
    let mut workspace = Workspace::new(model.config(), tokens.len(), tokens.len());
    let mut batch = Batch::default();
    batch.push_sequence(tokens, position, &[0, 1], slot);
    batch.outputs = (0..tokens.len()).collect();
    let logits = model.forward(&batch, cache, &mut workspace, &mut NoProbe);
    logits.expect("readable").to_vec()
}

#[test]
fn a_state_put_back_gives_the_same_bits() {
    for (name, model, tokens) in models() {
        let expected = logits(&model, &tokens, 100);
        let (before, rest) = tokens.split_at(40);
        let expected = &expected[before.len() * model.config().vocab_size..];
        let mut cache = KvCache::new(model.config(), KvType::F16, 2, 3);
        step(&model, &mut cache, before, 0, 0);
        cache.copy_state(0, 1);
        let bytes = cache.state(0);
        assert_eq!(bytes.len(), KvCache::state_bytes(model.config()), "{name}");
        // Something else is tried and given up, in one step and token by token.
        step(&model, &mut cache, &tokens[..20], 40, 0);
        assert_ne!(cache.state(0), bytes, "{name}: a token changes the state");
        cache.copy_state(1, 0);
        let found = step(&model, &mut cache, rest, 40, 0);
        assert!(found == expected, "{name}: a copy put back");
        cache.set_state(2, &bytes);
        let found = step(&model, &mut cache, rest, 40, 2);
        assert!(found == expected, "{name}: bytes put back, in another slot");
        cache.copy_state(1, 0);
        let mut found = Vec::new();
        for (i, token) in rest.iter().enumerate() {
            found.extend(step(&model, &mut cache, &[*token], 40 + i, 0));
        }
        assert!(found == expected, "{name}: and token by token");
    }
}

/// RWKV 6's files may have weights of later layers halved, so that f16 holds the stream.
#[test]
fn halved_layers_are_doubled_again() {
    let gguf = Gguf::open(golden::path("arch/rwkv6/model.gguf")).expect("a golden");
    let tokens = goldens::tokens("rwkv6");
    let expected = logits(&load(&gguf, level(), 2), &tokens, 100);
    let mut metadata = gguf.metadata().clone();
    metadata.insert("rwkv6.rescale_every_n_layers", Value::U32(1));
    let mut tensors = gguf.tensors().to_vec();
    let of_stream = [
        "blk.1.time_mix_output.weight",
        "blk.1.channel_mix_value.weight",
    ];
    for tensor in tensors
        .iter_mut()
        .filter(|tensor| of_stream.contains(&tensor.name.as_str()))
    {
        let mut values = vec![0.0; tensor.len()];
        tensor::dequantize(tensor.dtype, &tensor.data, &mut values);
        let halves: Vec<u8> = values
            .iter()
            .flat_map(|x| (x / 2.0).to_le_bytes())
            .collect();
        (tensor.dtype, tensor.data) = (tensor::DType::F32, halves.into());
    }
    let halved = Gguf::from_parts(metadata, tensors).expect("as large as before");
    let found = logits(&load(&halved, level(), 2), &tokens, 100);
    let error = relative_rms(
        &found,
        &expected.iter().map(|&x| f64::from(x)).collect::<Vec<_>>(),
    );
    assert!(error < 1e-5, "{error:e}");
}

/// Older files have query, key, value and gate in one matrix, by key head, as folders do.
#[test]
fn linear_attention_in_one_matrix() {
    let path = golden::path("arch/qwen3next");
    let gguf = Gguf::open(path.join("model.gguf")).expect("a golden");
    let tokens = goldens::tokens("qwen3next");
    let expected = logits(&load(&gguf, level(), 2), &tokens, 100);
    let folder = Folder::open(path).expect("a folder");
    let mut tensors = gguf.tensors().to_vec();
    tensors
        .retain(|tensor| !tensor.name.contains("attn_qkv") && !tensor.name.contains("attn_gate"));
    let before = tensors.len();
    for weight in folder.weights() {
        let layer = weight
            .tensor
            .name
            .strip_suffix(".linear_attn.in_proj_qkvz.weight");
        let layer = layer.and_then(|name| name.strip_prefix("model.layers."));
        if let Some(layer) = layer {
            let name = format!("blk.{layer}.ssm_in.weight");
            tensors.push(Tensor {
                name,
                ..weight.to_tensor().expect("readable")
            });
        }
    }
    assert!(tensors.len() > before, "layers with linear attention");
    let in_one = Gguf::from_parts(gguf.metadata().clone(), tensors).expect("as before");
    assert!(logits(&load(&in_one, level(), 2), &tokens, 100) == expected);
}

#[test]
fn neighbours_and_what_a_slot_held_change_nothing() {
    for (name, model, tokens) in models() {
        let sequences = [(0, 100, 7), (3, 90, 90), (50, 51, 1), (10, 64, 1)];
        let sequences = sequences.map(|(start, end, step)| Ragged {
            tokens: tokens[start..end].to_vec(),
            step,
        });
        let block = |sequence: usize, block: usize| (2 * sequence + block) as u32;
        let found = ragged(KvType::F16, &model, &sequences, block);
        for (i, (found, sequence)) in found.iter().zip(&sequences).enumerate() {
            let alone = logits(&model, &sequence.tokens, sequence.tokens.len());
            assert!(*found == alone, "{name}: sequence {i} in a batch");
        }
        // A slot that was used begins anew at position 0.
        let mut cache = KvCache::new(model.config(), KvType::F16, 2, 1);
        step(&model, &mut cache, &tokens[..60], 0, 0);
        let found = step(&model, &mut cache, &tokens[60..], 0, 0);
        let alone = logits(&model, &tokens[60..], 40);
        assert!(found == alone, "{name}: a used slot");
    }
}

#[test]
fn layers_without_attention_take_no_kv_blocks() {
    for (name, model, _) in models() {
        let config = model.config();
        let attention = config
            .layers
            .iter()
            .filter(|layer| layer.mixer.shape().is_some());
        let has_attention = attention.count() > 0;
        let bytes = KvCache::size_bytes(config, KvType::F16, 1000);
        assert_eq!(bytes > 0, has_attention, "{name}");
        assert!(KvCache::state_bytes(config) > 0, "{name}");
    }
}

#[test]
fn lies_about_states_get_an_error_that_names_them() {
    let flags = |flags: &[bool]| Value::Array(Array::Bool(flags.to_vec()));
    let cases: [(&str, &str, Value, &[&str]); 12] = [
        (
            "mamba2",
            "ssm.time_step_rank",
            Value::U32(3),
            &["divisor of 80", "found 3"],
        ),
        (
            "mamba2",
            "ssm.time_step_rank",
            Value::U32(0),
            &["ssm.time_step_rank", "found 0"],
        ),
        (
            "mamba2",
            "ssm.group_count",
            Value::U32(3),
            &["divisor of 4", "found 3"],
        ),
        (
            "mamba2",
            "ssm.state_size",
            Value::U32(17),
            &["blk.0.ssm_in.weight"],
        ),
        (
            "mamba2",
            "ssm.conv_kernel",
            Value::U32(1),
            &["2 to 64", "found 1"],
        ),
        (
            "mamba2",
            "ssm.conv_kernel",
            Value::U32(5),
            &["blk.0.ssm_conv1d.weight"],
        ),
        (
            "mamba2",
            "ssm.inner_size",
            Value::U32(1 << 24),
            &["blk.0.ssm_in.weight"],
        ),
        (
            "mamba",
            "ssm.time_step_rank",
            Value::U32(4),
            &["blk.0.ssm_x.weight"],
        ),
        (
            "qwen35",
            "ssm.group_count",
            Value::U32(1),
            &["blk.0.attn_qkv.weight"],
        ),
        (
            "qwen35",
            "attention.recurrent_layers",
            flags(&[true]),
            &["2 truth values", "found 1"],
        ),
        (
            "qwen35",
            "attention.recurrent_layers",
            flags(&[false, true]),
            &["blk.0.attn_q"],
        ),
        (
            "lfm2",
            "shortconv.l_cache",
            Value::U32(65),
            &["2 to 64", "found 65"],
        ),
    ];
    for (name, key, value, says) in cases {
        let gguf = Gguf::open(golden::path(&format!("arch/{name}/model.gguf"))).expect("a golden");
        let mut metadata = gguf.metadata().clone();
        metadata.insert(&format!("{name}.{key}"), value);
        let lie = Gguf::from_parts(metadata, gguf.tensors().to_vec()).expect("a sound file");
        let found = Model::load(&lie, &LoadOptions::default()).map(|_| ());
        let message = found.expect_err("a lie").to_string();
        let all = says.iter().all(|part| message.contains(part));
        assert!(all, "{name}, {key}: {message}, expected {says:?}");
    }
}
