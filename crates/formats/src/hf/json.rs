//! JSON as Python writes it: with `Infinity`, `-Infinity` and `NaN`, which JSON does not have.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde_json::{Map, Value};

use super::{FolderError, MAX_TEXT};
use crate::Error;

/// The file's bytes; `None` if there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let open = |error| Error::Open {
        path: path.to_owned(),
        error,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(open(error)),
    };
    let mut bytes = Vec::new();
    let mut limited = file.take(MAX_TEXT + 1);
    limited.read_to_end(&mut bytes).map_err(open)?;
    if bytes.len() as u64 > MAX_TEXT {
        let found = limited.into_inner().metadata().map_err(open)?.len();
        return Err(Error::Folder(FolderError::TooLong {
            path: path.to_owned(),
            found,
            max: MAX_TEXT,
        }));
    }
    Ok(Some(bytes))
}

/// An object of JSON, from the file at `path`.
pub(super) fn object(path: &Path, bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    let parsed = match serde_json::from_slice(bytes) {
        Ok(object) => Ok(object),
        Err(_) => serde_json::from_slice(&with_numbers_for_words(bytes)),
    };
    parsed.map_err(|error| {
        Error::Folder(FolderError::Json {
            path: path.to_owned(),
            expected: "an object of JSON",
            error,
        })
    })
}

/// `Infinity` becomes the greatest f64, `NaN` becomes `null`, outside of strings.
fn with_numbers_for_words(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut in_string = false;
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        if !in_string && let Some(after) = rest.strip_prefix(b"Infinity") {
            out.extend_from_slice(b"1.7976931348623157e308");
            rest = after;
            continue;
        }
        if !in_string && let Some(after) = rest.strip_prefix(b"NaN") {
            out.extend_from_slice(b"null");
            rest = after;
            continue;
        }
        out.push(byte);
        rest = after;
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                if let Some((&escaped, after)) = rest.split_first() {
                    out.push(escaped);
                    rest = after;
                }
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::object;

    #[test]
    fn words_of_python_are_numbers_outside_of_strings() {
        let text = br#"{"a": [0.0, Infinity], "b": -Infinity, "c": NaN, "d": "NaN \" Infinity"}"#;
        let config = object(Path::new("config.json"), text).expect("as Python writes it");
        assert_eq!(config["a"][1], f64::MAX);
        assert_eq!(config["b"], f64::MIN);
        assert!(config["c"].is_null());
        assert_eq!(config["d"], "NaN \" Infinity");
    }

    #[test]
    fn what_is_no_object_names_the_file() {
        for text in ["", "[]", "{\"a\": Infinit}", "{\"a\": \"", "{\"a\": \"\\"] {
            let error = object(Path::new("x/config.json"), text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains("x/config.json"), "{error}");
        }
    }
}
