//! Looks for vector intrinsics that were not inlined.
//!
//! An intrinsic of `core::arch` is one instruction when it is inlined into a function that has the
//! CPU features, and a function call per instruction when it is not: a program ten times slower
//! that still passes every test. So no optimised program may hold a function of `core::core_arch`,
//! except the few that ask which CPU this is.
//!
//! Only for optimised builds without debug assertions: without either, intrinsics stay functions.
//! Reads the symbol table of 64-bit little-endian ELF files, which is what CI builds. Does not see
//! stripped programs (an error) or other formats (skipped with a word).

use std::path::PathBuf;

use crate::Failure;

/// Parts of the names of functions that may stay: they run once, at start-up.
const ALLOWED: &[&str] = &["xgetbv", "xsave", "cpuid"];

/// Checks every program in `files`.
///
/// # Errors
/// If one cannot be read, has no symbols, or holds an intrinsic as a function.
pub(crate) fn check(files: &[PathBuf]) -> Result<(), Failure> {
    let mut found = Vec::new();
    for file in files {
        let name = file.display();
        let bytes =
            std::fs::read(file).map_err(|error| format!("cannot read `{name}`: {error}"))?;
        if !bytes.starts_with(b"\x7fELF\x02\x01") {
            println!("`{name}` is no 64-bit ELF file: not checked");
            continue;
        }
        let symbols = symbols(&bytes)
            .filter(|symbols| !symbols.is_empty())
            .ok_or_else(|| format!("`{name}` has no symbol table to check"))?;
        let wrong = symbols.iter().filter(|symbol| is_intrinsic(symbol));
        found.extend(wrong.map(|symbol| format!("  {symbol} in {name}")));
    }
    match found.is_empty() {
        true => {
            println!("{} programs, no stray intrinsic", files.len());
            Ok(())
        }
        false => Err(format!(
            "vector intrinsics that are functions of their own:\n{}\n\
             hint: their caller lacks #[target_feature] or #[inline(always)]",
            found.join("\n")
        )),
    }
}

/// Both manglings of Rust write a path segment as its length and its name.
fn is_intrinsic(symbol: &str) -> bool {
    symbol.contains("9core_arch") && !ALLOWED.iter().any(|allowed| symbol.contains(allowed))
}

/// The names in the symbol table of an ELF file: none if it has no such table or is damaged.
///
/// Section headers (64 bytes each) start at the offset in byte 40 of the file; a symbol table
/// (type 2) holds 24-byte entries, each starting with an offset into the string table it links to.
fn symbols(elf: &[u8]) -> Option<Vec<&str>> {
    let table = usize(elf, 40)?;
    let count = u16::from_le_bytes(*elf.get(60..)?.first_chunk()?);
    let section = |index: usize| {
        elf.get(table.checked_add(index * 64)?..)?
            .first_chunk::<64>()
    };
    let contents = |header: &[u8; 64]| {
        let start = usize(header, 24)?;
        elf.get(start..start.checked_add(usize(header, 32)?)?)
    };
    let symtab = (0..usize::from(count))
        .filter_map(section)
        .find(|header| u32(*header, 4) == Some(2))?;
    let names = contents(section(u32(symtab, 40)? as usize)?)?;
    let name = |entry: &[u8]| {
        let name = names.get(u32(entry, 0)? as usize..)?;
        let end = name.iter().position(|&byte| byte == 0)?;
        str::from_utf8(&name[..end]).ok()
    };
    Some(
        contents(symtab)?
            .chunks_exact(24)
            .filter_map(name)
            .collect(),
    )
}

fn u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn usize(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intrinsics_are_told_from_other_functions() {
        assert!(is_intrinsic(
            "_ZN4core9core_arch3x867avx512f16_mm512_add_ps17h0123456789abcdefE"
        ));
        assert!(!is_intrinsic(
            "_ZN4core9core_arch3x865xsave7_xgetbv17h0123456789abcdefE"
        ));
        assert!(!is_intrinsic(
            "_ZN7kernels3isa5scalar4dot417h0123456789abcdefE"
        ));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_test_program_has_symbols() {
        let this = std::env::current_exe().expect("a running program has a path");
        let bytes = std::fs::read(this).expect("and can be read");
        let symbols = symbols(&bytes).expect("tests are not stripped");
        assert!(
            symbols
                .iter()
                .any(|symbol| symbol.contains("this_test_program_has_symbols"))
        );
    }

    #[test]
    fn damaged_files_have_no_symbols() {
        let mut bytes = vec![0xff; 200];
        assert_eq!(symbols(&bytes), None);
        bytes.truncate(50);
        assert_eq!(symbols(&bytes), None);
    }
}
