//! What is wrong with a folder, in the folder's own words: loading speaks of the GGUF that it would become.

use formats::Error;
use formats::hf::Folder;

use super::{common, fields};
use crate::LoadError;
use crate::arch::{self, Family, HuggingFace};
use crate::names::NAMES;
use crate::weights::split_name;

impl LoadError {
    /// The same with names of tensors and keys as `folder` has them, where they are not made of several.
    pub fn in_folder(mut self, folder: &Folder) -> Self {
        let known = fields::architecture(folder.config()).ok();
        let Some((family, form)) = known.and_then(arch::of_folder) else {
            return self;
        };
        match &mut self {
            Self::MissingTensor { name, .. } | Self::OtherLayersHave { name, .. } => {
                *name = tensor(name, form).unwrap_or_else(|| name.clone());
            }
            Self::Shape { name, .. } | Self::WeightType { name, .. } => {
                let own = tensor(name, form).filter(|own| folder.weight(own).is_some());
                *name = own.unwrap_or_else(|| name.clone());
            }
            Self::Hyperparameter { key: name, .. }
            | Self::Format(
                Error::InKey { key: name, .. }
                | Error::MissingKey { key: name, .. }
                | Error::WrongType { key: name, .. },
            ) => {
                *name = key(name, family, form, folder).unwrap_or_else(|| name.clone());
            }
            _ => {}
        }
        if let Self::OtherLayersHave { other, .. } = &mut self {
            *other = tensor(other, form).unwrap_or_else(|| other.clone());
        }
        self
    }
}

/// What the folder calls a tensor.
fn tensor(name: &str, form: &HuggingFace) -> Option<String> {
    let (pattern, numbers, part) = split_name(name);
    let (role, ..) = NAMES.iter().find(|(_, gguf, _)| *gguf == pattern)?;
    let mut own = form.name_of(*role).to_owned();
    for (place, number) in ["{i}", "{e}"].iter().zip(numbers) {
        own = own.replace(place, number);
    }
    own += part;
    for (there, here) in form.spelled.iter().rev() {
        own = own.replacen(here, there, 1);
    }
    Some(own)
}

/// The key of the folder's config that becomes this one: the first that is there, or could be.
fn key(name: &str, family: &Family, form: &HuggingFace, folder: &Folder) -> Option<String> {
    let gguf = name.strip_prefix(family.gguf_name)?.strip_prefix('.')?;
    let keys = form
        .keys
        .iter()
        .chain(common::KEYS.iter().copied().flatten());
    let mut keys = keys.filter(|(_, to)| *to == gguf).map(|&(own, _)| own);
    let any = keys.clone().next()?;
    let own = keys.find(|own| folder.config().contains_key(*own));
    let own = own.unwrap_or(any);
    Some(format!("{own} (config.json)"))
}
