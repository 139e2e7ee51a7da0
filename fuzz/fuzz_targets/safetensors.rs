//! Any bytes as a safetensors file: an error, or tensors that take the rest of the file between them.
#![no_main]

use formats::{Bytes, safetensors};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(tensors) = safetensors::parse(&Bytes::from(data.to_vec())) else {
        return;
    };
    let header = data.first_chunk().map(|len| 8 + u64::from_le_bytes(*len));
    let len: usize = tensors.iter().map(|tensor| tensor.data.len()).sum();
    assert_eq!(header, Some((data.len() - len) as u64));
    for tensor in &tensors {
        let bits = tensor.dtype.bits() * tensor.len() as u64;
        assert_eq!(bits, 8 * tensor.data.len() as u64);
        if let Some(numbers) = tensor.to_f32() {
            assert_eq!(numbers.len(), tensor.len());
        }
    }
});
