//! Damaged files: every truncation and a hundred thousand random mutations of a valid file.
//!
//! Each gives a typed error or a valid load, for GGUF and for safetensors. Memory is counted: no damage makes a
//! reader ask for more than a small multiple of the file.

use formats::safetensors;
use formats::{Array, Bytes, Error, Gguf, GgufWriter, Metadata, Strings, Value};
use peak_alloc::PeakAlloc;
use tensor::DType;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Peak memory allowed, in file lengths. The worst case is a file of nothing but tiny entries: 14 bytes there,
/// a key and a value here, in a list that doubles as it grows.
const MAX_MULTIPLE: usize = 16;
/// The same for safetensors: an entry has 50 bytes at least, and its description, its tensor and its place in
/// the index have 250, some of them in lists that double.
const MAX_MULTIPLE_SAFETENSORS: usize = 16;
/// And this much on top, in bytes: error messages, and what the test runner does meanwhile.
const MAX_EXTRA: usize = 16 << 10;

/// Reads the bytes, checks that memory stays within bounds and that what is loaded can be used.
fn load(bytes: &[u8]) -> bool {
    bounded(bytes, MAX_MULTIPLE, Gguf::parse).is_some_and(|gguf| {
        use_all(&gguf);
        true
    })
}

/// Reads a safetensors file: the same for another reader.
fn load_safetensors(bytes: &[u8]) -> bool {
    let parse = |bytes| safetensors::parse(&Bytes::from(bytes));
    bounded(bytes, MAX_MULTIPLE_SAFETENSORS, parse).is_some_and(|tensors| {
        for tensor in &tensors {
            let bits = tensor.dtype.bits() * tensor.shape.iter().product::<usize>() as u64;
            assert_eq!(bits, 8 * tensor.data.len() as u64);
            std::hint::black_box(tensor.to_f32());
        }
        true
    })
}

/// What `read` makes of the bytes; `None` if it is an error with a message of bounded length.
fn bounded<T>(
    bytes: &[u8],
    multiple: usize,
    read: impl Fn(Vec<u8>) -> Result<T, Error>,
) -> Option<T> {
    let copy = bytes.to_vec();
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let result = read(copy);
    let used = MEMORY.peak_usage().saturating_sub(before);
    let allowed = multiple * bytes.len() + MAX_EXTRA;
    assert!(
        used <= allowed,
        "{used} bytes of memory for a file of {}",
        bytes.len()
    );
    match result {
        Ok(read) => Some(read),
        Err(error) => {
            let message = error.to_string();
            assert!(!message.is_empty() && message.len() < 4096 + 8 * bytes.len());
            None
        }
    }
}

/// Touches everything that a valid load promises.
fn use_all(gguf: &Gguf) {
    for (key, value) in gguf.metadata().iter() {
        assert_eq!(
            gguf.metadata().get(key).map(Value::value_type),
            Some(value.value_type())
        );
        assert!(value.to_string().len() < 1000);
    }
    for tensor in gguf.tensors() {
        let row = *tensor.shape.last().expect("one dimension at least");
        let rows: usize = tensor.shape[..tensor.shape.len() - 1].iter().product();
        assert_eq!(
            tensor.dtype.row_bytes(row).map(|bytes| bytes * rows),
            Some(tensor.data.len())
        );
        assert!(gguf.tensor(&tensor.name).is_some());
        std::hint::black_box(tensor.data.iter().fold(0_u8, |sum, &byte| sum ^ byte));
    }
}

/// A little of everything, as small as can be so that mutations hit something.
fn valid_file() -> Vec<u8> {
    let mut metadata = Metadata::new();
    metadata.insert("general.architecture", Value::String("llama".into()));
    metadata.insert("general.alignment", Value::U32(16));
    metadata.insert("flag", Value::Bool(true));
    metadata.insert("eps", Value::F32(1e-5));
    metadata.insert("count", Value::U64(7));
    metadata.insert(
        "tokens",
        Value::Array(Array::String(Strings::from_iter(["<s>", "a", ""]))),
    );
    metadata.insert("scores", Value::Array(Array::F32(vec![0.0, -1.0, 2.0])));
    metadata.insert("bits", Value::Array(Array::Bool(vec![true, false])));
    let mut writer = GgufWriter::new(metadata).expect("valid metadata");
    writer
        .tensor("a", DType::F32, &[2, 3], vec![1; 24])
        .expect("a valid tensor");
    writer
        .tensor("b", DType::Q4_0, &[1, 2, 32], vec![2; 36])
        .expect("a valid tensor");
    writer
        .tensor("c", DType::I8, &[5], vec![3; 5])
        .expect("a valid tensor");
    let mut bytes = Vec::new();
    writer.write(&mut bytes).expect("memory takes everything");
    bytes
}

/// Marsaglia's xorshift64: any generator will do, as long as a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end
    }
}

/// One to four changes of the kinds that break parsers: bits, bytes, telling numbers, pieces lost or doubled.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    const TELLING: [u64; 8] = [
        0,
        1,
        1 << 31,
        u32::MAX as u64,
        1 << 61,
        i64::MAX as u64,
        u64::MAX - 31,
        u64::MAX,
    ];
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 | 3 => {
                let len = [2, 4, 8][random.below(3)].min(bytes.len() - at);
                let number = TELLING[random.below(TELLING.len())].to_le_bytes();
                bytes[at..at + len].copy_from_slice(&number[..len]);
            }
            4 => {
                let end = bytes.len().min(at + random.below(16));
                bytes.drain(at..end);
            }
            _ => {
                let end = bytes.len().min(at + random.below(16));
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}

/// One test, because memory is counted for the whole process.
#[test]
fn damage_gives_an_error_or_a_load_in_bounded_memory() {
    every_truncation();
    a_hundred_thousand_mutations();
    files_that_are_nothing_but_entries();
    large_vocabulary_is_compact();
    damaged_safetensors();
}

fn every_truncation() {
    let whole = valid_file();
    assert!(load(&whole));
    // The padding behind the last tensor is the only part that nobody misses.
    let needed = whole.len() - 11;
    for len in 0..whole.len() {
        assert_eq!(
            load(&whole[..len]),
            len >= needed,
            "cut to {len} of {} bytes",
            whole.len()
        );
    }
}

fn a_hundred_thousand_mutations() {
    let whole = valid_file();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut loaded = 0;
    for _ in 0..100_000 {
        let mut bytes = whole.clone();
        mutate(&mut bytes, &mut random);
        loaded += u32::from(load(&bytes));
    }
    // Both outcomes must happen, or the mutations test nothing.
    assert!(
        (1_000..90_000).contains(&loaded),
        "{loaded} of 100000 were loaded"
    );
}

fn files_that_are_nothing_but_entries() {
    // Just more than a power of two: the list has doubled for the last time and is half empty.
    const COUNT: u64 = 65_600;
    // Keys must differ, so they cannot all have one byte: three digits in base 64 do.
    let mut bytes = [
        &b"GGUF"[..],
        &3_u32.to_le_bytes(),
        &0_u64.to_le_bytes(),
        &COUNT.to_le_bytes(),
    ]
    .concat();
    for i in 0..COUNT {
        bytes.extend(3_u64.to_le_bytes());
        bytes.extend([12, 6, 0].map(|shift| b'0' + (i >> shift) as u8 % 64));
        bytes.extend([0; 5]);
    }
    assert!(load(&bytes));

    // Tensors without elements.
    let mut bytes = [
        &b"GGUF"[..],
        &3_u32.to_le_bytes(),
        &COUNT.to_le_bytes(),
        &0_u64.to_le_bytes(),
    ]
    .concat();
    for i in 0..COUNT {
        bytes.extend(3_u64.to_le_bytes());
        bytes.extend([12, 6, 0].map(|shift| b'0' + (i >> shift) as u8 % 64));
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend([0; 8 + 4 + 8]);
    }
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    assert!(load(&bytes));
}

fn large_vocabulary_is_compact() {
    let mut metadata = Metadata::new();
    let tokens = (0..250_000).map(|i| format!("token{i}"));
    metadata.insert("tokens", Value::Array(Array::String(tokens.collect())));
    let mut bytes = Vec::new();
    GgufWriter::new(metadata)
        .expect("valid")
        .write(&mut bytes)
        .expect("memory takes everything");
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let len = bytes.len();
    let gguf = Gguf::parse(bytes).expect("a valid file");
    assert_eq!(
        gguf.metadata()
            .require::<&Strings>("tokens")
            .expect("strings")
            .len(),
        250_000
    );
    assert!(
        MEMORY.peak_usage() - before <= len + MAX_EXTRA,
        "no larger than in the file"
    );
}

fn damaged_safetensors() {
    let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}"#;
    let whole = safetensors_file(header, 11);
    assert!(load_safetensors(&whole));
    for len in 0..whole.len() {
        assert!(!load_safetensors(&whole[..len]), "cut to {len}");
    }
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut loaded = 0;
    for _ in 0..100_000 {
        let mut bytes = whole.clone();
        mutate(&mut bytes, &mut random);
        loaded += u32::from(load_safetensors(&bytes));
    }
    assert!(
        (1_000..90_000).contains(&loaded),
        "{loaded} of 100000 were loaded"
    );
    let entries: Vec<String> = (0..65_600)
        .map(|i| format!(r#""{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#))
        .collect();
    let many = safetensors_file(&format!("{{{}}}", entries.join(",")), 0);
    assert!(load_safetensors(&many));
}

fn safetensors_file(header: &str, data: usize) -> Vec<u8> {
    let len = (header.len() as u64).to_le_bytes();
    [&len, header.as_bytes(), &vec![7; data]].concat()
}
