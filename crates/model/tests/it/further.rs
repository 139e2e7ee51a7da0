//! Layers that are there to guess further tokens are passed over: files of some families have them behind the others.

use formats::gguf::{Array, Metadata, Value};
use formats::{Gguf, Tensor};

use crate::goldens;
use crate::run::{level, load, logits};

/// The model with a layer more that is there to guess further tokens: the last once again, as GGUF counts it.
fn with_a_guessing_layer(gguf: &Gguf) -> Gguf {
    let (metadata, mut tensors) = gguf.clone().into_parts();
    let name: String = metadata.require("general.architecture").expect("a name");
    let count = format!("{name}.block_count");
    let further = format!("{name}.nextn_predict_layers");
    // One says so already, and has no tensors of it.
    let said: usize = metadata.opt(&further).expect("a number").unwrap_or(0);
    let n = metadata.require::<usize>(&count).expect("a number") - said;
    let mut longer = Metadata::new();
    for (key, value) in metadata.iter() {
        let value = match value {
            Value::Array(array) if array.len() == n => Value::Array(one_more(array)),
            value => value.clone(),
        };
        longer.insert(key, value);
    }
    longer.insert(&count, Value::U32(n as u32 + 1));
    longer.insert(&further, Value::U32(1));
    let last = format!("blk.{}.", n - 1);
    let further: Vec<Tensor> = tensors
        .iter()
        .filter_map(|tensor| {
            let name = tensor.name.strip_prefix(&last)?;
            let name = format!("blk.{n}.{name}");
            Some(Tensor {
                name,
                ..tensor.clone()
            })
        })
        .collect();
    let mut projection = further[0].clone();
    projection.name = format!("blk.{n}.nextn.eh_proj.weight");
    tensors.extend(further);
    tensors.push(projection);
    Gguf::from_parts(longer, tensors).expect("sound")
}

fn one_more(array: &Array) -> Array {
    fn longer<T: Clone>(list: &[T]) -> Vec<T> {
        list.iter().chain(list.last()).cloned().collect()
    }
    match array {
        Array::U32(list) => Array::U32(longer(list)),
        Array::I32(list) => Array::I32(longer(list)),
        Array::F32(list) => Array::F32(longer(list)),
        Array::Bool(list) => Array::Bool(longer(list)),
        other => other.clone(),
    }
}

#[test]
fn layers_that_guess_change_nothing() {
    let mut compared = 0;
    for (name, gguf) in goldens::files() {
        let run = |gguf: &Gguf| logits(&load(gguf, level(), 1), &[3, 1, 4, 1, 5], 5);
        let same = run(&gguf) == run(&with_a_guessing_layer(&gguf));
        assert!(same, "{name}: other bits");
        compared += 1;
    }
    assert!(compared > 60, "{compared} models");
}
