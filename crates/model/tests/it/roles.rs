//! Every tensor of every family has a role, a role has a name in either form, and its shape is held to.

use std::collections::{BTreeMap, HashSet};

use formats::hf::Folder;
use formats::{Gguf, Tensor};
use model::names::{NAMES, Role};
use model::{LoadError, LoadOptions, Model};
use testkit::TinyModel;

use crate::goldens;

/// A model with the head of a reranker, which no golden has.
fn reranker() -> (String, Gguf) {
    let mut parts = TinyModel::default().parts();
    parts.push_f32("cls.output.weight", &[0.5; 128]);
    parts.tensor("cls.output.weight").shape = vec![2, 64];
    parts.push_f32("cls.output.bias", &[0.5; 2]);
    let model = Gguf::parse(parts.write()).expect("what was just written");
    ("reranker".to_owned(), model)
}

/// The models of all goldens, in both forms.
fn models() -> impl Iterator<Item = (String, Gguf)> {
    goldens::folders().into_iter().flat_map(|(name, path)| {
        let file = Gguf::open(path.join("model.gguf")).ok();
        let folder = Folder::open(path).ok();
        let folder = folder.map(|folder| model::hf::to_gguf(&folder).expect("a golden"));
        let forms = [file, folder].into_iter().flatten();
        forms.map(move |model| (name.clone(), model))
    })
}

fn role(name: &str) -> Option<Role> {
    let base = name
        .strip_suffix(".weight")
        .or(name.strip_suffix(".bias"))
        .or(name.strip_suffix(".scale"))
        .unwrap_or(name);
    let mut numbers = ["{i}", "{e}"].into_iter();
    let words = base.split('.').map(|word| match word.parse::<usize>() {
        Ok(_) => numbers.next().unwrap_or(word),
        Err(_) => word,
    });
    let pattern = words.collect::<Vec<_>>().join(".");
    let row = NAMES.iter().find(|(_, gguf, _)| *gguf == pattern);
    row.map(|&(role, ..)| role)
}

fn load(model: &Gguf, tensors: Vec<Tensor>) -> Result<Model, LoadError> {
    let changed = Gguf::from_parts(model.metadata().clone(), tensors).expect("other shapes");
    let options = LoadOptions {
        num_threads: 1,
        level: None,
    };
    Model::load(&changed, &options)
}

#[test]
fn every_role_of_every_family_has_both_names_and_a_shape() {
    let (mut wrong, mut seen, mut checked) = (Vec::new(), HashSet::new(), HashSet::new());
    for (golden, model) in models().chain([reranker()]) {
        // One tensor of each role and part is enough.
        let mut parts = BTreeMap::new();
        for (i, tensor) in model.tensors().iter().enumerate() {
            let Some(role) = role(&tensor.name) else {
                wrong.push(format!("{golden}: `{}` has no role", tensor.name));
                continue;
            };
            seen.insert(role);
            let part = ["bias", "scale"].map(|part| tensor.name.ends_with(part));
            parts.insert((role.pattern(), part), i);
        }
        for (part, i) in parts {
            // What the GGUF of a golden shows need not be seen again in its folder.
            if !checked.insert((golden.clone(), part)) {
                continue;
            }
            let mut tensors = model.tensors().to_vec();
            let tensor = &mut tensors[i];
            let len = tensor.shape.iter().product();
            tensor.shape = match tensor.dtype.block_len() {
                // Some may have one more dimension of 1.
                1 => vec![len, 1, 1],
                _ => vec![len],
            };
            let name = tensor.name.clone();
            match load(&model, tensors) {
                Err(LoadError::Shape { name: found, .. }) if found == name => {}
                Err(other) => wrong.push(format!("{golden}, `{name}` of another shape: {other}")),
                Ok(_) => wrong.push(format!("{golden}: `{name}` may have any shape")),
            }
        }
    }
    for (role, gguf, hf) in NAMES {
        if gguf.is_empty() || hf.is_empty() {
            wrong.push(format!("{role:?} lacks a name"));
        }
        if !seen.contains(role) {
            wrong.push(format!("{role:?} is in no golden"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
