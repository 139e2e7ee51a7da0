//! The config that `transformers` gives each architecture by default: every key of its class is heeded, or known to
//! change nothing, or refused for a reason. `golden/configs/make.py` wrote them.

use model::hf::check_config;
use serde_json::Value;
use testkit::golden;

/// Architectures whose defaults are refused, with a part of the message, and why that is right.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "Lfm2MoeForCausalLM",
        "layer_types (config.json)",
        "the class does not say which layers attend",
    ),
    (
        "NemotronHForCausalLM",
        "letters M, *, and - or E",
        "layers with and without experts, which no model has",
    ),
];

#[test]
fn every_key_of_every_config_class_is_accounted_for() {
    let all = golden::json("configs/defaults.json");
    let mut wrong = Vec::new();
    for (name, config) in all.as_object().expect("configs by name") {
        let refused = REFUSED.iter().find(|(other, ..)| other == name);
        let result = check_config(config.as_object().expect("a config"));
        match (result, refused) {
            (Ok(()), None) => {}
            (Err(error), Some((_, part, _))) if error.to_string().contains(part) => {}
            (result, _) => wrong.push(format!("{name}: {result:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(all.as_object().is_some_and(|all| all.len() >= 50));
}

/// A key that no class has.
#[test]
fn a_key_from_nowhere_is_refused_in_all_of_them() {
    let all = golden::json("configs/defaults.json");
    for (name, config) in all.as_object().expect("configs by name") {
        let mut config = config.as_object().expect("a config").clone();
        // Of models that see, the text model's.
        let part = match config.get_mut("text_config") {
            Some(part) => part.as_object_mut().expect("a config"),
            None => &mut config,
        };
        part.insert("warp_factor".into(), Value::from(9));
        assert!(check_config(&config).is_err(), "{name}");
    }
}
