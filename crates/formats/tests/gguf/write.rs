//! What is written is what is read, and what a reader would refuse is not written.

use formats::{Array, Error, Gguf, GgufWriter, Metadata, Strings, Value};
use tensor::DType;

/// Every value type and every array type, empty arrays among them.
fn metadata() -> Metadata {
    let values = [
        Value::U8(1),
        Value::I8(-1),
        Value::U16(2),
        Value::I16(-2),
        Value::U32(3),
        Value::I32(-3),
        Value::F32(0.1),
        Value::Bool(true),
        Value::String("text".into()),
        Value::U64(u64::MAX),
        Value::I64(i64::MIN),
        Value::F64(f64::MIN_POSITIVE),
        Value::Array(Array::U8(vec![1])),
        Value::Array(Array::I8(vec![-1, 1])),
        Value::Array(Array::U16(vec![])),
        Value::Array(Array::I16(vec![-9])),
        Value::Array(Array::U32(vec![7; 100])),
        Value::Array(Array::I32(vec![i32::MIN])),
        Value::Array(Array::F32(vec![0.0, -0.0])),
        Value::Array(Array::Bool(vec![true, false])),
        Value::Array(Array::String(Strings::from_iter([&b"a"[..], b"", b"\xff"]))),
        Value::Array(Array::String(Strings::default())),
        Value::Array(Array::U64(vec![1 << 63])),
        Value::Array(Array::I64(vec![-1])),
        Value::Array(Array::F64(vec![1e300])),
    ];
    let mut metadata = Metadata::new();
    for (i, value) in values.into_iter().enumerate() {
        metadata.insert(&format!("key.{i}"), value);
    }
    metadata
}

fn written(writer: &GgufWriter<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    writer.write(&mut out).expect("memory takes everything");
    out
}

#[test]
fn round_trip_of_every_type() {
    let mut writer = GgufWriter::new(metadata()).expect("valid metadata");
    for (i, &dtype) in DType::ALL.iter().enumerate() {
        let bytes = 3 * 2 * dtype.block_bytes();
        let shape = [3, 2 * dtype.block_len()];
        writer
            .tensor(dtype.name(), dtype, &shape, vec![i as u8; bytes])
            .expect("a valid tensor");
    }
    let bytes = written(&writer);
    let gguf = Gguf::parse(bytes.clone()).expect("a valid file");
    assert_eq!(*gguf.metadata(), metadata());
    assert_eq!(gguf.tensors().len(), DType::ALL.len());
    for (i, (&dtype, tensor)) in DType::ALL.iter().zip(gguf.tensors()).enumerate() {
        assert_eq!((&tensor.name[..], tensor.dtype), (dtype.name(), dtype));
        assert_eq!(tensor.shape, [3, 2 * dtype.block_len()]);
        assert!(tensor.data.iter().all(|&byte| byte == i as u8));
    }
    assert!(written(&writer) == bytes, "writing is deterministic");
}

#[test]
fn nothing_but_a_header() {
    let bytes = written(&GgufWriter::new(Metadata::new()).expect("valid metadata"));
    assert_eq!(bytes.len(), 24);
    let gguf = Gguf::parse(bytes).expect("a valid file");
    assert!(gguf.metadata().is_empty() && gguf.tensors().is_empty());
}

#[test]
fn metadata_that_readers_refuse() {
    let with = |key: &str, value: Value| {
        let mut metadata = Metadata::new();
        metadata.insert(key, value);
        GgufWriter::new(metadata)
            .map(|_| ())
            .expect_err("readers refuse it")
    };
    assert!(matches!(
        with("", Value::U8(0)),
        Error::Length {
            what: "metadata key",
            ..
        }
    ));
    let error = with("general.alignment", Value::U32(33));
    assert!(matches!(error.root(), Error::Alignment { found: 33, .. }));
    let long = "x".repeat((64 << 20) + 1);
    let error = with("long", Value::String(long.as_str().into()));
    assert!(matches!(error.root(), Error::Length { what: "string", .. }));
}

#[test]
fn tensors_that_readers_refuse() {
    let mut writer = GgufWriter::new(Metadata::new()).expect("valid metadata");
    let mut add = |name: &str, dtype, shape: &[usize], bytes: usize| {
        writer.tensor(name, dtype, shape, vec![0; bytes])
    };
    add("w", DType::F32, &[2], 8).expect("a valid tensor");
    let refused = [
        (add("w", DType::F32, &[2], 8), "tensor `w` appears twice"),
        (add("", DType::F32, &[2], 8), "tensor name"),
        (
            add(&"n".repeat(64), DType::F32, &[2], 8),
            "expected 1 to 63",
        ),
        (
            add("a", DType::F32, &[], 4),
            "expected 1 to 4 dimensions, found 0",
        ),
        (
            add("a", DType::F32, &[1; 5], 4),
            "expected 1 to 4 dimensions, found 5",
        ),
        (
            add("a", DType::Q8_0, &[32, 31], 4),
            "do not divide into Q8_0 blocks of 32",
        ),
        (
            add("a", DType::F32, &[usize::MAX, 2], 4),
            "too many elements",
        ),
        (
            add("a", DType::F32, &[2], 7),
            "tensor `a`: data has 7 bytes, expected 8",
        ),
    ];
    for (result, words) in refused {
        let message = result.expect_err("readers refuse it").to_string();
        assert!(
            message.contains(words),
            "`{message}` should contain `{words}`"
        );
    }
    add("a", DType::F32, &[2], 8).expect("what was refused left nothing behind");
}

#[test]
fn errors_of_the_writer_below_are_passed_on() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let writer = GgufWriter::new(metadata()).expect("valid metadata");
    assert!(matches!(writer.write(&mut Full), Err(Error::Write(_))));
}
