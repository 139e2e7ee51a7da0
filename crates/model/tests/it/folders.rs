//! Folders that say what we do not do, or contradict themselves: an error that names tensor or key, what was
//! expected and what was found.

use formats::Gguf;
use formats::hf::Folder;
use formats::safetensors::SafeTensor;
use model::{LoadError, LoadOptions, Model};
use serde_json::{Map, Value, json};
use tensor::DType;
use testkit::{ModelFolder, golden};

fn load(folder: &ModelFolder) -> Result<Model, LoadError> {
    let folder = Folder::open(folder.path())?;
    let model = model::hf::to_gguf(&folder).and_then(|gguf| {
        let options = LoadOptions {
            num_threads: 1,
            level: None,
        };
        Model::load(&gguf, &options)
    });
    model.map_err(|error| error.in_folder(&folder))
}

/// A folder with this in its config.
fn with(test: &str, golden: &str, more: &Value) -> ModelFolder {
    let folder = ModelFolder::golden(test, golden);
    folder.change_config(|config: &mut Map<String, Value>| {
        config.extend(more.as_object().expect("an object").clone());
    });
    folder
}

#[track_caller]
fn assert_says(result: Result<Model, LoadError>, parts: &[&str]) {
    let message = match result {
        Ok(_) => panic!("loads, expected an error with {parts:?}"),
        Err(error) => error.to_string(),
    };
    assert!(
        parts.iter().all(|part| message.contains(part)),
        "{message}\nexpected {parts:?}"
    );
}

#[test]
fn keys_that_would_change_the_computation_are_refused() {
    let cases = [
        (
            "llama",
            json!({"attention_chunk_size": 128}),
            vec!["`attention_chunk_size` = `128`"],
        ),
        (
            "llama",
            json!({"clip_qkv": 8.0}),
            vec!["`clip_qkv` = `8.0`"],
        ),
        (
            "llama",
            json!({"qk_norm": true, "embed_scale": 2}),
            vec!["`qk_norm` = `true`", "`embed_scale` = `2`"],
        ),
        (
            "llama",
            json!({"hidden_act": "gelu"}),
            vec!["hidden_act", "Silu", "found gelu"],
        ),
        (
            "llama",
            json!({"hidden_act": "snake"}),
            vec!["hidden_act", "Silu", "found snake"],
        ),
        (
            "gpt2",
            json!({"activation_function": "gelu"}),
            vec!["GeluTanh", "found gelu"],
        ),
        (
            "mixtral",
            json!({"hidden_act": "relu"}),
            vec!["hidden_act", "Silu", "found relu"],
        ),
        (
            "llama",
            json!({"attention_bias": true}),
            vec!["attention_bias", "`*.attn_q.bias`", "found none"],
        ),
        (
            "qwen2",
            json!({"attention_bias": false}),
            vec!["attention_bias", "with `false`, none", ".attn_q.bias`"],
        ),
        (
            "llama",
            json!({"mlp_bias": true}),
            vec!["mlp_bias", ".ffn_up.bias", "found none"],
        ),
        (
            "gpt2",
            json!({"scale_attn_by_inverse_layer_idx": true}),
            vec!["`scale_attn_by_inverse_layer_idx` = `true`"],
        ),
        (
            "gemma3",
            json!({"use_bidirectional_attention": true}),
            vec!["`use_bidirectional_attention` = `true`"],
        ),
        (
            "qwen2moe",
            json!({"mlp_only_layers": [0]}),
            vec!["`mlp_only_layers` = `[0]`"],
        ),
        (
            "deepseek3",
            json!({"scoring_func": "softmax"}),
            vec!["`scoring_func` = `softmax`"],
        ),
        (
            "deepseek3",
            json!({"rope_interleave": false}),
            vec!["`rope_interleave` = `false`"],
        ),
        (
            "smollm3",
            json!({"no_rope_layers": [1, 0, 1, 0]}),
            vec!["no_rope_layers", "0 for every fourth layer"],
        ),
        (
            "llama",
            json!({"layer_types": ["full_attention", "chunked_attention"]}),
            vec!["`layer_types`", "chunked_attention"],
        ),
        (
            "llama",
            json!({"layer_types": ["full_attention", "sliding_attention"]}),
            vec!["sliding_window", "found nothing"],
        ),
        (
            "llama",
            json!({"quantization_config": {"quant_method": "gptq", "bits": 4}}),
            vec!["`quantization_config.quant_method` = `gptq`"],
        ),
        (
            "llama",
            json!({"rope_parameters": {"rope_theta": 1e4, "rope_type": "spiral"}}),
            vec!["`spiral`", "rope_parameters"],
        ),
        (
            "llama",
            json!({"rope_parameters": {"rope_theta": 1e4, "rope_type": "default", "sections": [4, 4]}}),
            vec!["`rope_parameters.sections` = `[4,4]`"],
        ),
        (
            "llama",
            json!({"rope_parameters": {"rope_type": "linear"}}),
            vec!["rope_parameters.factor", "a number"],
        ),
    ];
    for (i, (golden, more, parts)) in cases.iter().enumerate() {
        let folder = with(&format!("key{i}"), golden, more);
        assert_says(load(&folder), parts);
    }
}

#[test]
fn keys_that_change_nothing_are_ignored() {
    let more = json!({
        "torch_dtype": "bfloat16", "transformers_version": "4.40.0", "initializer_range": 0.1, "use_cache": false,
        "attention_dropout": 0.5, "bos_token_id": 7, "auto_map": {"AutoConfig": "x.Y"}, "_name_or_path": "here",
        "unsloth_fixed": true, "qk_norm": null, "clip_qkv": null, "rope_scaling": null, "sliding_window": null
    });
    assert!(load(&with("harmless", "llama", &more)).is_ok());
    // The same said several times.
    let more = json!({"sliding_window_pattern": 6, "sliding_window_size": 24, "layer_switch": 6});
    assert!(load(&with("pattern", "gemma3", &more)).is_ok());
}

#[test]
fn configs_that_contradict_themselves_or_the_weights() {
    let cases = [
        (
            "llama",
            json!({"num_key_value_heads": 3}),
            vec![
                "`num_key_value_heads (config.json)`",
                "a divisor of 4",
                "found 3",
            ],
        ),
        (
            "llama",
            json!({"hidden_size": 80}),
            vec!["`model.embed_tokens.weight`", "[48, 80]", "[48, 64]"],
        ),
        (
            "llama",
            json!({"num_hidden_layers": 3}),
            vec!["`model.layers.2.input_layernorm.weight` is missing"],
        ),
        (
            "llama",
            json!({"num_hidden_layers": 1}),
            vec!["`blk.1.", "unknown"],
        ),
        (
            "llama",
            json!({"hidden_size": null}),
            vec!["`hidden_size (config.json)`"],
        ),
        (
            "llama",
            json!({"hidden_size": "wide"}),
            vec!["hidden_size", "a whole number", "\"wide\""],
        ),
        (
            "mixtral",
            json!({"num_experts_per_tok": 5}),
            vec![
                "`num_experts_per_tok (config.json)`",
                "at most 4",
                "found 5",
            ],
        ),
        (
            "gemma2",
            json!({"tie_word_embeddings": false}),
            vec!["`lm_head.weight` is missing"],
        ),
        (
            "llama",
            json!({"architectures": ["LlamaForever"]}),
            vec!["`LlamaForever`", "LlamaForCausalLM"],
        ),
        (
            "llama",
            json!({"architectures": []}),
            vec!["architectures", "a list with one name"],
        ),
    ];
    for (i, (golden, more, parts)) in cases.iter().enumerate() {
        let folder = with(&format!("contradiction{i}"), golden, more);
        assert_says(load(&folder), parts);
    }
}

/// The folder of a golden without one of its tensors.
fn without(test: &str, golden: &str, name: &str) -> ModelFolder {
    let folder = ModelFolder::golden(test, golden);
    folder.change_weights(|tensors: &mut Vec<SafeTensor>| {
        let before = tensors.len();
        tensors.retain(|tensor| tensor.name != name);
        assert_eq!(tensors.len() + 1, before, "{golden} has a {name}");
    });
    folder
}

#[test]
fn a_tensor_that_is_missing_in_some_layers_is_named() {
    let cases = [
        ("llama", "model.layers.1.mlp.up_proj.weight"),
        ("qwen2", "model.layers.1.self_attn.k_proj.bias"),
        ("qwen2", "model.layers.0.self_attn.k_proj.bias"),
        ("glm4moe", "model.layers.0.self_attn.q_norm.weight"),
        ("glm4moe", "model.layers.1.self_attn.q_norm.weight"),
        ("gpt2", "transformer.h.1.mlp.c_fc.bias"),
        ("gpt2", "transformer.h.0.ln_1.bias"),
        ("stablelm", "model.layers.1.post_attention_layernorm.weight"),
        ("starcoder2", "model.layers.0.self_attn.o_proj.bias"),
        (
            "bloom",
            "transformer.h.0.self_attention.query_key_value.bias",
        ),
        ("dots1", "model.layers.1.mlp.shared_experts.up_proj.weight"),
        (
            "mixtral",
            "model.layers.1.block_sparse_moe.experts.3.w2.weight",
        ),
    ];
    for (i, (golden, name)) in cases.iter().enumerate() {
        let folder = without(&format!("missing{i}"), golden, name);
        assert_says(load(&folder), &[&format!("`{name}` is missing")]);
    }
}

#[test]
fn a_tensor_of_the_wrong_shape_is_named_as_the_folder_names_it() {
    let folder = ModelFolder::golden("shape", "gpt2");
    folder.change_weights(|tensors: &mut Vec<SafeTensor>| {
        let mut tensors = tensors.iter_mut();
        let tensor = tensors.find(|tensor| tensor.name == "transformer.h.1.ln_2.weight");
        tensor.expect("a norm").shape = vec![20, 2];
    });
    let parts = ["`transformer.h.1.ln_2.weight`", "[40]", "[20, 2]"];
    assert_says(load(&folder), &parts);
}

/// gpt-oss's blocks of 4-bit floats are GGUF's, other nibbles in other places: as llama.cpp's converter moves them.
#[test]
fn blocks_of_four_bits_become_those_of_gguf() {
    let path = golden::path("arch/gpt-oss-mxfp4");
    let expected = Gguf::open(path.join("model.gguf")).expect("a golden");
    let folder = Folder::open(&path).expect("a golden");
    let found = model::hf::to_gguf(&folder).expect("a model");
    let blocks = expected.tensors().iter();
    let blocks = blocks.filter(|tensor| tensor.dtype == DType::MXFP4);
    assert_eq!(blocks.clone().count(), 6);
    for tensor in blocks {
        let own = found.tensor(&tensor.name).expect("every tensor");
        assert_eq!((own.dtype, &own.shape), (tensor.dtype, &tensor.shape));
        assert!(own.data[..] == tensor.data[..], "{}", tensor.name);
    }

    let folder = ModelFolder::golden("mxfp4", "gpt-oss-mxfp4");
    assert!(load(&folder).is_ok());
    let scales = "model.layers.1.mlp.experts.down_proj_scales";
    folder.change_weights(|tensors: &mut Vec<SafeTensor>| {
        let mut tensors = tensors.iter_mut();
        let tensor = tensors
            .find(|tensor| tensor.name == scales)
            .expect("scales");
        tensor.shape = vec![2, 128, 1];
    });
    assert_says(load(&folder), &[scales, "[4, 64, 1, 16]", "[2, 128, 1]"]);
}

#[test]
fn a_tied_output_matrix_is_not_used_if_it_is_there() {
    let folder = ModelFolder::golden("tied", "gemma2");
    folder.change_weights(|tensors: &mut Vec<SafeTensor>| {
        let mut copy = tensors
            .iter()
            .find(|tensor| tensor.name.contains("embed_tokens"));
        let mut copy = copy.take().expect("an embedding").clone();
        copy.name = "lm_head.weight".into();
        tensors.push(copy);
    });
    folder.change_config(|config| {
        config.insert("tie_word_embeddings".into(), json!(true));
    });
    let model = load(&folder).expect("sound");
    let names: Vec<&str> = model.linears().map(|linear| linear.name.as_str()).collect();
    assert_eq!(names.last(), Some(&"token_embd.weight"));
}
