//! Any bytes as a GGUF file: an error or a load in which everything can be used, and survives being rewritten.
#![no_main]

use formats::{Gguf, GgufWriter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(gguf) = Gguf::parse(data.to_vec()) else {
        return;
    };
    let mut writer =
        GgufWriter::new(gguf.metadata().clone()).expect("what was read can be written");
    for tensor in gguf.tensors() {
        assert_eq!(gguf.tensor(&tensor.name), Some(tensor));
        writer
            .copy_tensor(tensor)
            .expect("what was read can be written");
    }
    let mut once = Vec::new();
    writer.write(&mut once).expect("memory takes everything");
    let again = Gguf::parse(once.clone()).expect("what was written can be read");
    assert_eq!(again.tensors(), gguf.tensors());

    let mut writer = GgufWriter::new(again.metadata().clone()).expect("as before");
    again
        .tensors()
        .iter()
        .for_each(|tensor| writer.copy_tensor(tensor).expect("as before"));
    let mut twice = Vec::new();
    writer.write(&mut twice).expect("memory takes everything");
    assert!(once == twice, "rewriting changes nothing");
});
