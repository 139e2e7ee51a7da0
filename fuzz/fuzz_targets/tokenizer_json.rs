//! Any bytes as a `tokenizer.json` (up to the first zero byte) and a text: an error, or ids inside the vocabulary.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenizer::{Tokenizer, VocabTables};

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |&byte| byte == 0);
    let json = parts.next().unwrap_or_default();
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default());
    for tables in [
        VocabTables::from_tokenizer_json(json),
        VocabTables::from_sentencepiece(data),
    ] {
        let Ok(tokenizer) = tables.and_then(Tokenizer::new) else {
            continue;
        };
        let ids = tokenizer.encode(&text, true, true);
        let size = tokenizer.vocab_size();
        assert!(ids.iter().all(|&id| (id as usize) < size));
        let _ = tokenizer.decode(&ids, false);
    }
});
