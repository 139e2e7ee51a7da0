//! Reading metadata by type.

use std::borrow::Cow;

use formats::{Array, Error, Metadata, Strings, Text, Value};

fn sample() -> Metadata {
    let mut metadata = Metadata::new();
    metadata.insert("text", Value::String("größe".into()));
    metadata.insert("bytes", Value::String(Text::from(&b"\xffx"[..])));
    metadata.insert("small", Value::U8(7));
    metadata.insert("negative", Value::I64(-5));
    metadata.insert("huge", Value::U64(u64::MAX));
    metadata.insert("half", Value::F64(0.5));
    metadata.insert("flag", Value::Bool(true));
    metadata.insert("numbers", Value::Array(Array::I32(vec![1, 2, 300])));
    metadata.insert("mixed", Value::Array(Array::I32(vec![1, -2])));
    metadata.insert("scores", Value::Array(Array::F32(vec![0.5, -1.0])));
    metadata.insert(
        "tokens",
        Value::Array(Array::String(Strings::from_iter(["a", "", "ü"]))),
    );
    metadata
}

#[test]
fn values_as_rust_types() {
    let m = sample();
    assert_eq!(m.require::<&str>("text").expect("UTF-8"), "größe");
    assert_eq!(m.require::<String>("bytes").expect("lossy"), "\u{fffd}x");
    assert_eq!(
        m.require::<Cow<'_, str>>("text").expect("borrowed"),
        "größe"
    );
    assert!(m.require::<bool>("flag").expect("bool"));
    assert_eq!(
        m.require::<Vec<u16>>("numbers").expect("they fit"),
        [1, 2, 300]
    );
    assert_eq!(
        m.require::<Vec<f32>>("scores").expect("floats"),
        [0.5, -1.0]
    );
    assert_eq!(
        m.require::<Vec<f32>>("numbers").expect("exact as floats"),
        [1.0, 2.0, 300.0]
    );
    assert_eq!(
        m.require::<Vec<String>>("tokens").expect("strings"),
        ["a", "", "ü"]
    );
    let tokens = m.require::<&Strings>("tokens").expect("strings");
    assert_eq!(tokens.get(2), Some("ü".as_bytes()));
    assert_eq!(tokens.get(3), None);
    assert_eq!(
        tokens.iter().collect::<Vec<_>>(),
        ["a".as_bytes(), b"", "ü".as_bytes()]
    );
    assert_eq!(m.opt::<u32>("absent").expect("no error"), None);
    assert_eq!(m.require::<&Value>("small").expect("any"), &Value::U8(7));
}

#[test]
fn integers_convert_when_they_fit() {
    let m = sample();
    assert_eq!(m.require::<u64>("small").expect("fits"), 7);
    assert_eq!(m.require::<i8>("small").expect("fits"), 7);
    assert_eq!(m.require::<usize>("small").expect("fits"), 7);
    assert_eq!(m.require::<i32>("negative").expect("fits"), -5);
    assert_eq!(m.require::<f32>("negative").expect("exact"), -5.0);
    assert_eq!(m.require::<f32>("half").expect("rounded"), 0.5);
    for error in [
        m.require::<u32>("negative").expect_err("negative"),
        m.require::<i64>("huge").map(|_| 0).expect_err("too large"),
        m.require::<f64>("huge").map(|_| 0).expect_err("not exact"),
        m.require::<u32>("half").expect_err("a float"),
        m.require::<u8>("flag").map(|_| 0).expect_err("a bool"),
        m.require::<bool>("small").map(|_| 0).expect_err("a number"),
        m.require::<Vec<u8>>("numbers")
            .map(|_| 0)
            .expect_err("300 is too large"),
        m.require::<&str>("bytes")
            .map(|_| 0)
            .expect_err("not UTF-8"),
        m.require::<u32>("text").expect_err("a string"),
    ] {
        assert!(matches!(error, Error::WrongType { .. }));
    }
}

#[test]
fn errors_name_key_expected_and_found() {
    let m = sample();
    let message = |error: Error| error.to_string();
    assert_eq!(
        message(m.require::<u32>("negative").expect_err("negative")),
        "metadata key `negative`: expected a value that fits `u32`, found i64 -5"
    );
    assert_eq!(
        message(m.require::<&str>("numbers").expect_err("an array")),
        "metadata key `numbers`: expected a string of valid UTF-8, found array of 3 i32"
    );
    assert_eq!(
        message(m.require::<f32>("text").map(|_| ()).expect_err("a string")),
        "metadata key `text`: expected a value that fits `f32`, found string \"größe\""
    );
    assert_eq!(
        message(m.require::<Vec<u32>>("absent").expect_err("absent")),
        "metadata key `absent` is missing, expected an array of values that fit `u32`"
    );
}

#[test]
fn order_is_kept_and_insert_replaces() {
    let mut m = sample();
    m.insert("small", Value::U16(9));
    m.insert("new", Value::Bool(false));
    let keys: Vec<&str> = m.iter().map(|(key, _)| key).collect();
    assert_eq!(keys[2], "small");
    assert_eq!(keys.last(), Some(&"new"));
    assert_eq!(m.len(), 12);
    assert_eq!(m.get("small"), Some(&Value::U16(9)));
    for key in keys {
        assert!(m.get(key).is_some());
    }
}

#[test]
fn long_text_is_cut_in_messages() {
    let long = Value::String("ä".repeat(1000).as_str().into());
    assert_eq!(long.to_string(), format!("string \"{}\"…", "ä".repeat(60)));
    let short = Value::String("ä".repeat(60).as_str().into());
    assert_eq!(short.to_string(), format!("string \"{}\"", "ä".repeat(60)));
}
