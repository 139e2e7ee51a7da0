//! Any text as a chat template, rendered for a short conversation: it ends, within bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenizer::{ChatTemplate, TemplateInput};

fuzz_target!(|source: &str| {
    let Ok(template) = ChatTemplate::new(source) else { return };
    let _ = template.render(&TemplateInput::default());
});
