//! The architecture as data: the config that the forward pass would get, equal layers folded.

use ingle::model::config::ModelConfig;
use serde_json::{Value, json};

use super::debug;

/// Numbers of a list that are shown.
const SHOWN: usize = 6;

/// Every field of the config; of `layers`, their number and one entry for each run of equal ones.
pub(super) fn to_json(config: &ModelConfig) -> Value {
    let mut value = debug::to_json(config);
    let n_layers = config.layers.len();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for layer in 0..n_layers {
        match runs.last_mut() {
            Some((first, last)) if config.layers[*first] == config.layers[layer] => *last = layer,
            _ => runs.push((layer, layer)),
        }
    }
    let runs = runs.into_iter().map(|(first, last)| {
        let range = if first == last {
            format!("{first}")
        } else {
            format!("{first}-{last}")
        };
        json!({"layers": range, "config": debug::to_json(&config.layers[first])})
    });
    if let Some(layers) = value.get_mut("layers") {
        *layers = json!({"count": n_layers, "kinds": runs.collect::<Vec<_>>()});
    }
    shorten(&mut value);
    value
}

/// Long lists of numbers, such as rope frequencies, keep their beginning and their length.
fn shorten(value: &mut Value) {
    match value {
        Value::Array(list) if list.len() > SHOWN && list.iter().all(Value::is_number) => {
            let len = list.len();
            list.truncate(SHOWN);
            let first = std::mem::take(list);
            *value = json!({"len": len, "first": first});
        }
        Value::Array(list) => list.iter_mut().for_each(shorten),
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        _ => {}
    }
}
