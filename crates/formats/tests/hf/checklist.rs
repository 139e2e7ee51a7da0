//! Every rule of the format, each broken once: the error names what is wrong.

use crate::files::{f32s, file, parse, with_header};

#[test]
fn a_sound_file_is_read_as_it_lies() {
    let bytes = file(&[
        ("w", "F32", &[2, 1], f32s(&[1.0, -2.0])),
        ("none", "I64", &[0, 7], vec![]),
        ("one", "BF16", &[], vec![0x80, 0x3f]),
    ]);
    let tensors = parse(bytes).expect("sound");
    let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["w", "none", "one"]);
    assert_eq!(tensors[0].to_f32(), Some(vec![1.0, -2.0]));
    assert_eq!(tensors[0].shape, [2, 1]);
    assert!(tensors[1].is_empty());
    assert_eq!(tensors[2].to_f32(), Some(vec![1.0]));
    assert_eq!(tensors[2].shape, [0; 0]);
}

#[test]
fn data_is_taken_where_it_lies_not_in_the_order_of_the_header() {
    let header = r#"{"__metadata__": {"format": "pt"},
        "b": {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]},
        "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}   "#;
    let tensors = parse(with_header(header, &[7, 8, 9])).expect("sound");
    assert_eq!(
        (tensors[0].name.as_str(), &*tensors[0].data),
        ("a", &[7][..])
    );
    assert_eq!(
        (tensors[1].name.as_str(), &*tensors[1].data),
        ("b", &[8, 9][..])
    );
}

/// What the message about a file of this header and four bytes of data must say.
#[track_caller]
fn refused(header: &str, expected: &[&str]) {
    let error = parse(with_header(header, &[0; 4]))
        .expect_err(header)
        .to_string();
    for part in expected {
        assert!(error.contains(part), "{header}: `{error}` lacks `{part}`");
    }
}

#[test]
fn lies_are_refused_by_name() {
    let one = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"w": {{"dtype": "{dtype}", "shape": {shape}, "data_offsets": {offsets}}}}}"#)
    };
    refused(
        &one("F32", "[1]", "[0, 8]"),
        &["`w`", "8 bytes", "expected 4"],
    );
    refused(
        &one("F32", "[1]", "[4, 0]"),
        &["`w`", "offset 4", "expected 0"],
    );
    refused(
        &one("F32", "[1]", "[1, 5]"),
        &["`w`", "offset 1", "expected 0"],
    );
    refused(
        &one("F32", "[2]", "[0, 8]"),
        &["`w`", "data ends at", "the file has"],
    );
    refused(
        &one("F16", "[1]", "[0, 2]"),
        &["last tensor ends at", "the file has"],
    );
    refused(&one("F33", "[1]", "[0, 4]"), &["`w`", "`F33`"]);
    refused(&one("F4", "[1]", "[0, 4]"), &["`w`", "4 bits of F4"]);
    refused(
        &one("F32", "[4294967296, 4294967296]", "[0, 4]"),
        &["`w`", "too many"],
    );
    refused(
        &one("F32", "[0, 4294967296, 4294967296]", "[0, 0]"),
        &["`w`", "too many"],
    );
    refused(&one("F32", "[-1]", "[0, 4]"), &["header", "-1"]);
    refused(&one("F32", "[1.5]", "[0, 4]"), &["header", "1.5"]);
    refused(
        r#"{"w": {"dtype": "F32", "shape": [1]}}"#,
        &["header", "data_offsets"],
    );
    refused(r#"{"w": 1}"#, &["header"]);
    refused(r#"{"w""#, &["header"]);
    refused("{} {}", &["header", "trailing"]);
    refused("{}", &["last tensor ends at byte 10", "14 bytes"]);
    let w = r#""w": {"dtype": "U8", "shape": [2], "data_offsets": "#;
    refused(
        &format!("{{{w}[0, 2]}}, {w}[2, 4]}}}}"),
        &["tensor `w` appears twice"],
    );
    refused(&"{\"a\":".repeat(10_000), &["header"]);
}

#[test]
fn what_is_no_safetensors_file_is_refused() {
    let message = |bytes: &[u8]| parse(bytes.to_vec()).expect_err("no such file").to_string();
    assert!(message(b"").contains("ends too early"));
    assert!(message(b"\x02\0\0\0\0\0\0\0{").contains("header at byte 8 needs 2 bytes, 1 are left"));
    assert!(message(b"GGUF\x03\0\0\0{}").contains("not a safetensors file"));
    assert!(message(b"\x02\0\0\0\0\0\0\0[]").contains("found 2 and `[`"));
    assert!(message(b"\x02\0\0\0\0\0\0\0").contains("needs 2 bytes, 0 are left"));
}
