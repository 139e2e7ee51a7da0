//! Everything that can be wrong in a file, one test per rule: a typed error that says what and where.

use formats::{Error, Gguf};

use crate::raw::{ARRAY, BOOL, F32, Q4_0, Raw, STRING, U8, U32, U64, array, entry, info, string};

fn refuse(bytes: Vec<u8>) -> Error {
    Gguf::parse(bytes).expect_err("the file should be refused")
}

#[track_caller]
fn says(error: &Error, words: &str) {
    let message = error.to_string();
    assert!(
        message.contains(words),
        "`{message}` should contain `{words}`"
    );
}

#[test]
fn magic() {
    let mut bytes = Raw::default().bytes();
    bytes[3] = b'G';
    let error = refuse(bytes);
    assert!(matches!(error, Error::Magic { .. }));
    says(
        &error,
        "expected the bytes `GGUF` at the start, found `GGUG`",
    );
    says(&refuse(Vec::new()), "the file is empty");
    says(&refuse(b"GG".to_vec()), "found `GG`");
    says(&refuse(b"<!DOCTYPE html>".to_vec()), "web page");
    says(
        &refuse(b"version https://git-lfs.github.com/spec/v1".to_vec()),
        "Git LFS",
    );
}

#[test]
fn version() {
    for version in [2, 3] {
        let file = Raw {
            version,
            ..Raw::default()
        };
        assert_eq!(
            Gguf::parse(file.bytes()).expect("a valid file").version(),
            version
        );
    }
    for version in [0, 4, u32::MAX] {
        let error = refuse(
            Raw {
                version,
                ..Raw::default()
            }
            .bytes(),
        );
        assert!(matches!(error, Error::Version { found } if found == version));
    }
}

#[test]
fn big_endian() {
    for version in [1_u32, 2, 3] {
        let error = refuse(
            Raw {
                version: version.swap_bytes(),
                ..Raw::default()
            }
            .bytes(),
        );
        assert!(matches!(error, Error::BigEndian));
        says(&error, "big-endian");
    }
}

#[test]
fn counts_against_the_bytes_left() {
    for count in [1, 1 << 20, 1 << 32, i64::MAX as u64, u64::MAX] {
        let error = refuse(
            Raw {
                n_entries: Some(count),
                ..Raw::default()
            }
            .bytes(),
        );
        assert!(
            matches!(
                error,
                Error::Count {
                    what: "metadata keys",
                    ..
                }
            ),
            "{error}"
        );
        let error = refuse(
            Raw {
                n_tensors: Some(count),
                ..Raw::default()
            }
            .bytes(),
        );
        assert!(
            matches!(
                error,
                Error::Count {
                    what: "tensors",
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn key_length() {
    let valid = |len: usize| {
        let file = Raw {
            entries: vec![entry(&vec![b'k'; len], U64, &[0; 8])],
            ..Raw::default()
        };
        file.bytes()
    };
    Gguf::parse(valid(65_535)).expect("the longest key");
    for len in [0, 65_536] {
        let error = refuse(valid(len));
        assert!(
            matches!(error, Error::Length { what: "metadata key", found, .. } if found == len as u64)
        );
    }
    let mut bytes = valid(100);
    bytes[24] = 200;
    let error = refuse(bytes);
    assert!(
        matches!(
            error,
            Error::Truncated {
                what: "metadata key",
                needed: 200,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn key_and_name_are_utf8() {
    let error = refuse(
        Raw {
            entries: vec![entry(b"k\xff", U8, &[0])],
            ..Raw::default()
        }
        .bytes(),
    );
    assert!(
        matches!(
            error,
            Error::Utf8 {
                what: "metadata key",
                at: 1,
                ..
            }
        ),
        "{error}"
    );
    let mut bytes = Raw::tensors(&[info("w", &[1], F32, 0)], 4).bytes();
    bytes[24 + 8] = 0x80;
    let error = refuse(bytes);
    assert!(
        matches!(
            error,
            Error::Utf8 {
                what: "tensor name",
                at: 0,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn value_type_in_table() {
    for kind in [13, 255, u32::MAX] {
        let error = refuse(Raw::entry("some.key", kind, &[0; 8]).bytes());
        assert!(matches!(error.root(), Error::ValueType { found } if *found == kind));
        says(&error, "metadata key `some.key`");
        let error = refuse(Raw::entry("some.key", ARRAY, &array(kind, 0)).bytes());
        assert!(matches!(error.root(), Error::ValueType { found } if *found == kind));
    }
}

#[test]
fn nested_arrays() {
    let value = [array(ARRAY, 1), array(U8, 1), vec![0]].concat();
    let error = refuse(Raw::entry("deep", ARRAY, &value).bytes());
    assert!(matches!(error.root(), Error::NestedArray));
}

#[test]
fn bool_is_0_or_1() {
    let error = refuse(Raw::entry("flag", BOOL, &[2]).bytes());
    assert!(
        matches!(error.root(), Error::Bool { found: 2, at: 40 }),
        "{error}"
    );
    let value = [array(BOOL, 3), vec![1, 0, 255]].concat();
    let error = refuse(Raw::entry("flag", ARRAY, &value).bytes());
    assert!(
        matches!(error.root(), Error::Bool { found: 255, at: 54 }),
        "{error}"
    );
}

#[test]
fn string_length() {
    let long = (64_u64 << 20) + 1;
    let error = refuse(Raw::entry("text", STRING, &long.to_le_bytes()).bytes());
    assert!(
        matches!(error.root(), Error::Length { what: "string", .. }),
        "{error}"
    );
    let error = refuse(Raw::entry("text", STRING, &100_u64.to_le_bytes()).bytes());
    assert!(matches!(
        error.root(),
        Error::Truncated {
            what: "string",
            needed: 100,
            left: 0,
            ..
        }
    ));
    for len in [u64::MAX, i64::MAX as u64] {
        let error = refuse(Raw::entry("text", STRING, &len.to_le_bytes()).bytes());
        assert!(matches!(error.root(), Error::Length { .. }));
    }
}

#[test]
fn array_length() {
    for kind in [U8, U32, U64, BOOL, STRING] {
        // The last one wraps to a small number of bytes if it is multiplied without care.
        for len in [9, 1 << 40, u64::MAX, (1 << 61) + 1] {
            let value = [array(kind, len), vec![0; 8]].concat();
            let error = refuse(Raw::entry("list", ARRAY, &value).bytes());
            assert!(
                matches!(
                    error.root(),
                    Error::Count {
                        what: "array elements",
                        ..
                    }
                ),
                "{error}"
            );
        }
    }
    let value = [array(STRING, 2), string(b"a"), 9_u64.to_le_bytes().to_vec()].concat();
    let error = refuse(Raw::entry("list", ARRAY, &value).bytes());
    assert!(
        matches!(
            error.root(),
            Error::Truncated {
                what: "string",
                needed: 9,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn values_keep_invalid_utf8() {
    let file = Raw::entry("text", STRING, &string(b"a\xff\xe6b"));
    let gguf = Gguf::parse(file.bytes()).expect("strings may be any bytes");
    let text: &formats::Text = gguf.metadata().require("text").expect("a string");
    assert_eq!(text.as_bytes(), b"a\xff\xe6b");
    assert_eq!(text.to_str_lossy(), "a\u{fffd}\u{fffd}b");
}

#[test]
fn duplicate_keys_and_names() {
    let one = |key: &[u8]| entry(key, U8, &[0]);
    let file = Raw {
        entries: vec![one(b"a"), one(b"b"), one(b"a")],
        ..Raw::default()
    };
    let error = refuse(file.bytes());
    assert!(matches!(&error, Error::Duplicate { what: "metadata key", name } if name == "a"));
    let infos = [
        info("w", &[8], F32, 0),
        info("v", &[8], F32, 32),
        info("w", &[8], F32, 64),
    ];
    let error = refuse(Raw::tensors(&infos, 96).bytes());
    assert!(matches!(&error, Error::Duplicate { what: "tensor", name } if name == "w"));
}

#[test]
fn alignment() {
    let aligned = |alignment: u32| Raw::entry("general.alignment", U32, &alignment.to_le_bytes());
    for alignment in [1, 8, 4096, 1 << 20] {
        let gguf = Gguf::parse(aligned(alignment).bytes()).expect("a power of two");
        assert_eq!(gguf.alignment(), alignment);
    }
    for alignment in [0, 3, 33, 1 << 21, 1 << 31, u32::MAX] {
        let error = refuse(aligned(alignment).bytes());
        assert!(matches!(error.root(), Error::Alignment { found, .. } if *found == alignment));
        says(&error, "general.alignment");
    }
    let error = refuse(Raw::entry("general.alignment", STRING, &string(b"32")).bytes());
    assert!(matches!(error, Error::WrongType { .. }));
}

#[test]
fn number_of_dimensions() {
    for dims in [&[][..], &[1; 5], &[1; 100]] {
        let error = refuse(Raw::tensors(&[info("w", dims, F32, 0)], 64).bytes());
        assert!(matches!(error.root(), Error::Dimensions { found } if *found == dims.len() as u64));
        says(&error, "tensor `w`");
    }
}

#[test]
fn dimensions_of_zero() {
    let infos = [info("empty", &[32, 0, 7], Q4_0, 0), info("w", &[2], F32, 0)];
    let gguf = Gguf::parse(Raw::tensors(&infos, 8).bytes()).expect("zero is a dimension");
    let empty = gguf.tensor("empty").expect("there");
    assert_eq!(
        (&empty.shape[..], empty.len(), empty.data.len()),
        (&[7, 0, 32][..], 0, 0)
    );
}

#[test]
fn element_and_byte_counts_do_not_wrap() {
    let max = i64::MAX as u64;
    for dims in [
        &[1 << 32, 1 << 32][..],
        &[1 << 16, 1 << 16, 1 << 16, 1 << 16],
        &[u64::MAX],
        &[1, max, 2],
        &[max],
        &[1 << 61, 1],
        &[1 << 63, 0],
    ] {
        let error = refuse(Raw::tensors(&[info("w", dims, F32, 0)], 64).bytes());
        assert!(
            matches!(error.root(), Error::TooLarge { .. }),
            "{dims:?}: {error}"
        );
    }
    // As many elements as i64 can count, and more bytes.
    let error = refuse(Raw::tensors(&[info("w", &[32, max / 32], Q4_0, 0)], 64).bytes());
    assert!(matches!(error.root(), Error::OutsideFile { .. }), "{error}");
}

#[test]
fn rows_are_whole_blocks() {
    for row in [1, 31, 33] {
        let error = refuse(Raw::tensors(&[info("w", &[row, 32], Q4_0, 0)], 4096).bytes());
        assert!(matches!(error.root(), Error::Blocks { .. }));
        says(&error, "do not divide into Q4_0 blocks of 32");
    }
}

#[test]
fn tensor_type_in_use() {
    // Removed ones, unused numbers, and numbers of the future.
    for kind in [4, 5, 31, 32, 33, 36, 37, 38, 43, 1000, u32::MAX] {
        let error = refuse(Raw::tensors(&[info("w", &[256], kind, 0)], 4096).bytes());
        assert!(matches!(error.root(), Error::DType { found } if *found == kind));
        says(&error, &format!("tensor `w`: {kind} is no tensor type"));
    }
}

#[test]
fn name_length() {
    let named = |len: usize| Raw::tensors(&[info(&"n".repeat(len), &[1], F32, 0)], 32).bytes();
    Gguf::parse(named(63)).expect("the longest name");
    for len in [0, 64, 1000] {
        let error = refuse(named(len));
        assert!(
            matches!(error, Error::Length { what: "tensor name", found, .. } if found == len as u64)
        );
    }
}

#[test]
fn offsets_follow_each_other() {
    for second in [0, 4, 16, 33, 64, u64::MAX, u64::MAX - 31] {
        let infos = [info("a", &[8], F32, 0), info("b", &[8], F32, second)];
        let error = refuse(Raw::tensors(&infos, 1024).bytes());
        assert!(matches!(error.root(), Error::Offset { found, expected: 32 } if *found == second));
        says(&error, "tensor `b`");
    }
    let error = refuse(Raw::tensors(&[info("a", &[8], F32, 32)], 1024).bytes());
    assert!(matches!(
        error.root(),
        Error::Offset {
            found: 32,
            expected: 0
        }
    ));
}

#[test]
fn data_inside_the_file() {
    let infos = [info("a", &[8], F32, 0), info("b", &[8], F32, 32)];
    let whole = Raw::tensors(&infos, 64).bytes();
    Gguf::parse(whole.clone()).expect("data up to the last byte");
    let error = refuse(whole[..whole.len() - 1].to_vec());
    let file = whole.len() as u64;
    assert!(
        matches!(error.root(), Error::OutsideFile { end, file: found } if *end == file && *found == file - 1)
    );
    says(&error, "tensor `b`");

    let longer = [whole, vec![1; 10]].concat();
    Gguf::parse(longer).expect("bytes behind the data are nobody's business");
}

#[test]
fn sum_of_sizes_does_not_wrap() {
    // Two halves of the address space, and what would begin again at 0.
    let half = 1 << 60;
    let infos = [
        info("a", &[half], F32, 0),
        info("b", &[half], F32, half * 4),
    ];
    let error = refuse(Raw::tensors(&infos, 1024).bytes());
    assert!(matches!(error.root(), Error::OutsideFile { .. }), "{error}");
    says(&error, "tensor `a`");
}
