//! Collects the facts of `ingle show`, as JSON.

use std::collections::BTreeMap;

use ingle::model::{Level, LoadOptions, Loader, arch};
use ingle::{Gguf, ModelFiles, SamplerDefaults, Tokenizer};
use serde_json::{Value, json};

use super::{config, memory, metadata};
use crate::failure::Failure;

/// Everything there is to say about the file on this machine.
pub(super) fn collect(files: &ModelFiles, args: &super::Args) -> Result<Value, Failure> {
    let gguf = &*files.gguf()?;
    let ctx = args
        .ctx
        .map(|ctx| usize::try_from(ctx).unwrap_or(usize::MAX));
    let level = Level::from_env().map_err(Failure::Failed)?;
    let name: Option<String> = gguf.metadata().opt("general.architecture").ok().flatten();
    let config = arch::config(gguf.metadata(), &Loader::new(gguf, level));
    // Loading checks every tensor and chooses the kernels, and reads no weights.
    let options = LoadOptions {
        num_threads: 1,
        level: Some(level),
    };
    let loaded = ingle::model::Model::load(gguf, &options);
    let mut facts = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "name": files.local.name,
        "files": files.local.files,
        "size": files.local.total_bytes,
        // A folder becomes one in memory only.
        "gguf_version": files.folder().is_none().then(|| gguf.version()),
        "architecture": name,
    });
    facts["runs"] = loaded.is_ok().into();
    facts["problem"] = match &loaded {
        Ok(_) => Value::Null,
        Err(_) if gguf.tensors().is_empty() => "the file holds a vocabulary and no weights".into(),
        Err(error) => error.to_string().into(),
    };
    facts["config"] = config.as_ref().map_or(Value::Null, config::to_json);
    facts["tensors"] = tensors(gguf, &kernels(loaded.as_ref().ok()), args.tensors);
    let rows = config.as_ref().ok().map(|config| config.vocab_size);
    facts["tokenizer"] = match files.tokenizer(rows) {
        Ok(tokenizer) => tokenizer_facts(&tokenizer),
        Err(error) => json!({"error": error.to_string()}),
    };
    let weights = facts["tensors"]["size"].as_u64().unwrap_or(0);
    facts["memory"] = config.map_or(Value::Null, |config| {
        let sizes = loaded.ok().map(|model| model.weight_bytes());
        let weights = memory::Weights {
            all: weights,
            sizes,
        };
        memory::collect(&config, args.kv_type, &weights, ctx, args.memory)
    });
    facts["cpu"] = json!({
        "level": level.name(),
        "levels": Level::available().map(Level::name).collect::<Vec<_>>(),
        "threads": std::thread::available_parallelism().map_or(1, usize::from),
        "arch": std::env::consts::ARCH,
        "os": std::env::consts::OS,
    });
    facts["metadata"] = metadata::to_json(gguf.metadata());
    let templates = files.chat_templates().unwrap_or_default();
    let names: Vec<&str> = templates.iter().map(|t| t.name.as_str()).collect();
    facts["chat_templates"] = names.into();
    facts["chat_template"] = templates.into_iter().next().map(|t| t.source).into();
    facts["sampler"] = match files.sampler_defaults() {
        Ok(defaults) => sampler_facts(&defaults),
        Err(error) => json!({"error": error.to_string()}),
    };
    Ok(facts)
}

/// What the model recommends, under the names of `ingle run`'s flags.
fn sampler_facts(defaults: &SamplerDefaults) -> Value {
    let named = defaults.iter().map(|(name, x)| {
        let is_whole = x.fract() == 0.0 && name == "top_k";
        let value = if is_whole { json!(x as u64) } else { json!(x) };
        (name.to_owned(), value)
    });
    Value::Object(named.collect())
}

/// By name of the type: the kernels that multiply with its weights.
fn kernels(model: Option<&ingle::model::Model>) -> BTreeMap<&'static str, String> {
    let linears = model.into_iter().flat_map(ingle::model::Model::linears);
    linears
        .map(|linear| (linear.dtype.name(), linear.kernel.name()))
        .collect()
}

/// By type: how many, how large, which kernel; and each tensor if wanted.
fn tensors(gguf: &Gguf, kernels: &BTreeMap<&str, String>, all: bool) -> Value {
    #[derive(Default)]
    struct Sum {
        count: usize,
        elements: usize,
        bytes: usize,
    }
    let mut types: BTreeMap<_, Sum> = BTreeMap::new();
    for tensor in gguf.tensors() {
        let sum = types.entry(tensor.dtype).or_default();
        sum.count += 1;
        sum.elements += tensor.len();
        sum.bytes += tensor.data.len();
    }
    let by_type: Vec<_> = types
        .iter()
        .map(|(dtype, sum)| {
            json!({
                "type": dtype.name(),
                "count": sum.count,
                "elements": sum.elements,
                "size": sum.bytes,
                "kernel": kernels.get(dtype.name()),
            })
        })
        .collect();
    let mut facts = json!({
        "count": gguf.tensors().len(),
        "elements": types.values().map(|sum| sum.elements).sum::<usize>(),
        "size": types.values().map(|sum| sum.bytes).sum::<usize>(),
        "types": by_type,
    });
    if all {
        let list = gguf.tensors().iter().map(|tensor| {
            json!({
                "name": tensor.name,
                "type": tensor.dtype.name(),
                "shape": tensor.shape,
                "size": tensor.data.len(),
            })
        });
        facts["list"] = list.collect();
    }
    facts
}

fn tokenizer_facts(tokenizer: &Tokenizer) -> Value {
    let token = |id: Option<u32>| {
        id.map(|id| json!({"id": id, "text": tokenizer.token_text(id).unwrap_or_default()}))
    };
    let ends = tokenizer.eog_ids().iter().map(|&id| token(Some(id)));
    json!({
        "kind": format!("{:?}", tokenizer.kind()),
        "vocab_size": tokenizer.vocab_size(),
        "bos": token(tokenizer.bos()),
        "eos": token(tokenizer.eos()),
        "add_bos": tokenizer.add_bos(),
        "add_eos": tokenizer.add_eos(),
        "end_of_generation": ends.collect::<Vec<_>>(),
    })
}
