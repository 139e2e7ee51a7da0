//! Any metadata as tokenizer tables, and with those that are accepted any text to ids and back.
#![no_main]

use formats::Gguf;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(gguf) = Gguf::parse(data.to_vec()) else {
        return;
    };
    let Ok(tokenizer) = engine::vocab::tokenizer_from_gguf(gguf.metadata()) else {
        return;
    };
    // The reader ignores what follows a file, so the fuzzer can put text there.
    let text = String::from_utf8_lossy(&data[data.len().saturating_sub(256)..]);
    for parse_special in [false, true] {
        let ids = tokenizer.encode(&text, true, parse_special);
        let size = tokenizer.vocab_size();
        assert!(
            ids.iter().all(|&id| (id as usize) < size),
            "ids are inside the vocabulary"
        );
        let _ = tokenizer.decode(&ids, false);
    }
});
