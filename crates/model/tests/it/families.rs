//! Every family against `transformers`, tap by tap, from GGUF and from a Hugging Face folder: `golden/arch/make.py` made
//! the models and the values. Families that `transformers` lacks against llama.cpp, too (`golden/arch/llama_taps.py`).

use std::path::PathBuf;

use formats::Gguf;
use formats::hf::Folder;
use model::arch::FAMILIES;
use model::config::{Ffn, Mixer};
use model::{LoadOptions, Model};
use testkit::distance::relative_rms;
use testkit::golden;

use crate::goldens;
use crate::run::{Recorder, level, logits, taps};

/// Relative error of a tap, both sides in f32. It is 3e-5 at most, where a key or value falls on the other
/// side of a tie when it becomes f16, and 1e-6 elsewhere.
const BOUND: f64 = 1e-4;

/// Most bytes of a golden.
const MAX_BYTES: u64 = 300_000;

/// How much of the golden sequence is fed, and in what steps.
const RUNS: &[(usize, usize)] = &[
    (100, 100),
    (100, 1),
    (100, 7),
    (97, 32),
    (65, 64),
    (64, 64),
    (33, 33),
    (17, 9),
    (5, 4),
    (1, 1),
];

struct Golden {
    name: String,
    folder: PathBuf,
    /// As llama.cpp's converter made it, if that leaves nothing out.
    model: Option<Gguf>,
    reference: Reference,
    /// What llama.cpp computes, if the other has layers of another class.
    llama: Option<Reference>,
    tokens: Vec<u32>,
}

/// Taps at some positions.
struct Reference {
    taps: Gguf,
    positions: Vec<usize>,
}

impl Reference {
    fn open(path: PathBuf) -> Self {
        let taps = Gguf::open(&path);
        let taps = taps.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let positions = taps.metadata().require("golden.positions");
        let positions = positions.expect("positions");
        Self { taps, positions }
    }

    /// How many taps it shares with a run of the first `len` tokens; the first that differs is an error.
    fn compare(&self, found: &Recorder, len: usize) -> Result<usize, String> {
        let kept = self.positions.iter().filter(|&&position| position < len);
        let mut compared = 0;
        for &(tap, layer) in &found.names {
            let label = layer.map_or(tap.to_owned(), |layer| format!("{tap}-{layer}"));
            // Some references do not show everything.
            let Some(expected) = self.taps.tensor(&label) else {
                continue;
            };
            compared += 1;
            let (width, bytes) = (expected.shape[1], expected.data.as_chunks::<4>().0);
            let expected = bytes.iter().map(|&x| f64::from(f32::from_le_bytes(x)));
            let expected: Vec<f64> = expected.take(kept.clone().count() * width).collect();
            let all = found.taps[&(tap, layer)].len();
            if all != len * width {
                let found = all / len;
                return Err(format!("`{label}` is {found} wide, expected {width}"));
            }
            if expected.is_empty() {
                continue;
            }
            let row = |&position: &usize| &found.taps[&(tap, layer)][position * width..][..width];
            let values: Vec<f32> = kept.clone().flat_map(row).copied().collect();
            let error = relative_rms(&values, &expected);
            if error.is_nan() || error > BOUND {
                return Err(format!(
                    "first difference at `{label}`, relative error {error:e}"
                ));
            }
        }
        Ok(compared)
    }
}

impl Golden {
    /// All there are, by name.
    fn all() -> Vec<Self> {
        let folders = goldens::folders().into_iter();
        folders
            .filter(|(_, folder)| folder.join("taps.gguf").exists())
            .map(|(name, folder)| Self::open(name, folder))
            .collect()
    }

    fn open(name: String, folder: PathBuf) -> Self {
        let open = |file| {
            let file = Gguf::open(folder.join(file));
            file.unwrap_or_else(|error| panic!("{name}: {error}"))
        };
        let model = folder.join("model.gguf").exists();
        let model = model.then(|| open("model.gguf"));
        let reference = Reference::open(folder.join("taps.gguf"));
        let llama = folder.join("llama_taps.gguf");
        let llama = llama.exists().then(|| Reference::open(llama));
        let tokens = reference.taps.metadata().require("golden.tokens");
        let tokens = tokens.expect("tokens");
        Self {
            name,
            folder,
            model,
            reference,
            llama,
            tokens,
        }
    }

    /// Whose layers the reference has, if they are not the family's own there.
    fn layers_of(&self) -> Option<String> {
        let metadata = self.reference.taps.metadata();
        metadata.opt("golden.layers_of").expect("a string")
    }

    fn size_bytes(&self) -> u64 {
        let files = self.folder.read_dir().expect("a folder");
        files
            .map(|file| file.and_then(|file| file.metadata()).expect("a file").len())
            .sum()
    }

    /// Fails with the first tap that differs: everything before it is right.
    fn check(&self, len: usize, step: usize) -> Result<(), String> {
        let Self { name, .. } = self;
        let model = self.load(&self.any()?)?;
        let found = taps(&model, &self.tokens[..len], step);
        for (whose, reference) in [
            ("", Some(&self.reference)),
            (", llama.cpp's", self.llama.as_ref()),
        ] {
            let Some(reference) = reference else {
                continue;
            };
            let compared = reference.compare(&found, len).map_err(|error| {
                format!("{name}{whose}, {len} tokens in steps of {step}: {error}")
            })?;
            let golden = reference.taps.tensors().len();
            assert_eq!(compared, golden, "{name}{whose}: every golden tap is there");
            let enough = golden > 2 * model.config().layers.len();
            assert!(enough, "{name}{whose}: only {golden} taps");
        }
        let layers = model.config().layers.iter().enumerate();
        let mut must = vec![
            "inp_embd".into(),
            "result_norm".into(),
            "result_output".into(),
        ];
        for (layer, config) in layers {
            must.push(format!("l_out-{layer}"));
            if config.mixer != Mixer::None {
                must.push(format!("attn_out-{layer}"));
            }
            if config.ffn != Ffn::None {
                must.push(format!("ffn_out-{layer}"));
            }
        }
        for tap in must {
            assert!(
                self.reference.taps.tensor(&tap).is_some(),
                "{name}: no golden `{tap}`"
            );
        }
        Ok(())
    }

    /// The GGUF, or else what the folder gives.
    fn any(&self) -> Result<Gguf, String> {
        self.model.clone().map_or_else(|| self.of_folder(), Ok)
    }

    fn of_folder(&self) -> Result<Gguf, String> {
        let named = |error: String| format!("{}: {error}", self.name);
        let folder = Folder::open(&self.folder).map_err(|error| named(error.to_string()))?;
        model::hf::to_gguf(&folder).map_err(|error| named(error.to_string()))
    }

    fn load(&self, gguf: &Gguf) -> Result<Model, String> {
        let options = LoadOptions {
            num_threads: 2,
            level: Some(level()),
        };
        let model = Model::load(gguf, &options);
        let mut model = model.map_err(|error| format!("{}: {error}", self.name))?;
        let ctx = self
            .reference
            .taps
            .metadata()
            .opt("golden.ctx")
            .expect("a number");
        if let Some(ctx) = ctx {
            model.set_ctx(ctx);
        }
        Ok(model)
    }

    /// Fails if the folder gives other bits than the GGUF.
    fn compare_folder(&self) -> Result<(), String> {
        let (a, b) = (self.load(&self.any()?)?, self.load(&self.of_folder()?)?);
        if logits(&a, &self.tokens, 100) == logits(&b, &self.tokens, 100) {
            return Ok(());
        }
        let (a, b) = (a.config(), b.config());
        Err(format!(
            "{}: a folder of other bits\n{a:#?}\n{b:#?}",
            self.name
        ))
    }
}

/// Fails with all that is wrong, not the first of it.
fn expect_none(wrong: impl Iterator<Item = String>) {
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_family_computes_what_transformers_does() {
    let goldens = Golden::all();
    let check = |golden: &Golden| {
        let mut runs = RUNS.iter().map(|&(len, step)| golden.check(len, step));
        runs.find_map(Result::err)
    };
    expect_none(goldens.iter().filter_map(check));
    let has_golden = |name: &str| {
        goldens.iter().any(|golden| {
            let Ok(model) = golden.any() else {
                return false;
            };
            let found: String = model
                .metadata()
                .require("general.architecture")
                .expect("a name");
            found == name
        })
    };
    let names = FAMILIES.iter().map(|family| family.gguf_name);
    let missing = names.filter(|name| !has_golden(name));
    expect_none(missing.map(|name| format!("no golden of `{name}`")));
}

#[test]
fn families_that_transformers_lacks_are_compared_with_llama_cpp() {
    let lacking = Golden::all();
    let lacking = lacking.iter().filter(|golden| golden.layers_of().is_some());
    let missing = lacking.filter(|golden| golden.llama.is_none());
    expect_none(missing.map(|golden| format!("{}: no llama_taps.gguf", golden.name)));
}

#[test]
fn a_folder_gives_the_bits_of_its_gguf() {
    let goldens = Golden::all();
    let folders = goldens
        .iter()
        .filter(|golden| golden.folder.join("config.json").exists());
    expect_none(folders.filter_map(|golden| golden.compare_folder().err()));
}

#[test]
fn every_family_gives_the_same_bits_in_any_steps_on_any_threads() {
    let check = |golden: &Golden| {
        let run = |num_threads, step| {
            let options = LoadOptions {
                num_threads,
                level: Some(level()),
            };
            let model = Model::load(&golden.any().ok()?, &options).ok()?;
            Some(logits(&model, &golden.tokens, step))
        };
        let expected = run(1, 100);
        let others = [(2, 100), (2, 1), (1, 7), (3, 33)];
        let mut differ = others
            .iter()
            .filter(|&&(threads, step)| run(threads, step) != expected);
        let (threads, step) = differ.next()?;
        Some(format!(
            "{}: other bits on {threads} threads in steps of {step}",
            golden.name
        ))
    };
    expect_none(Golden::all().iter().filter_map(check));
}

#[test]
fn goldens_are_small() {
    let sizes = Golden::all()
        .into_iter()
        .map(|golden| (golden.size_bytes(), golden.name));
    let large = sizes.filter(|(size, _)| *size > MAX_BYTES);
    expect_none(large.map(|(size, name)| format!("{name}: {size} bytes")));
}

#[test]
fn every_form_of_a_family_in_folders_has_a_golden() {
    let goldens = Golden::all();
    let configs: Vec<String> = goldens
        .iter()
        .filter_map(|golden| std::fs::read_to_string(golden.folder.join("config.json")).ok())
        .collect();
    let forms = FAMILIES.iter().flat_map(|family| family.hf);
    let missing = forms.filter(|form| {
        let name = format!("\"{}\"", form.architecture);
        !configs.iter().any(|config| config.contains(&name))
    });
    expect_none(missing.map(|form| format!("no golden of `{}`", form.architecture)));
}

/// Trained weights of a family that were run, beside the golden.
const REAL: &[(&str, &str)] = &[
    ("llama", "SmolLM2-135M-Instruct"),
    ("qwen2", "Qwen2.5-Coder-1.5B-Instruct"),
    ("gemma3", "Gemma-3-270M"),
];

/// The README's table of families: what stands there is made here. `UPDATE_README=1` writes it.
#[test]
fn the_table_of_families_in_the_readme_is_up_to_date() {
    let goldens = Golden::all();
    let mut table = String::from(
        "| models | GGUF | Hugging Face | goldens | trained weights run |\n|---|---|---|---|---|\n",
    );
    for family in FAMILIES {
        let name = family.gguf_name;
        let is_its = |golden: &&Golden| {
            let metadata = golden.any().expect("a golden").metadata().clone();
            metadata
                .require::<String>("general.architecture")
                .is_ok_and(|found| found == name)
        };
        let forms: Vec<String> = family
            .hf
            .iter()
            .map(|form| format!("`{}`", form.architecture))
            .collect();
        let its =
            goldens
                .iter()
                .filter(is_its)
                .map(|golden| match (golden.layers_of(), &golden.llama) {
                    (Some(layers_of), Some(_)) => {
                        format!("{} (llama.cpp; {layers_of})", golden.name)
                    }
                    _ => golden.name.clone(),
                });
        let its: Vec<String> = its.collect();
        let real = REAL.iter().find(|(family, _)| *family == name);
        let real = real.map_or("", |(_, real)| real);
        let (models, forms, its) = (family.models, forms.join(" "), its.join(", "));
        table += &format!("| {models} | `{name}` | {forms} | {its} | {real} |\n");
    }
    let path = golden::path("../README.md");
    let readme = std::fs::read_to_string(&path).expect("a README");
    let (begin, end) = ("<!-- families -->\n", "<!-- end of families -->");
    let (before, rest) = readme.split_once(begin).expect("a place for the table");
    let (found, after) = rest.split_once(end).expect("an end of the table");
    if found != table && std::env::var_os("UPDATE_README").is_some() {
        let readme = format!("{before}{begin}{table}{end}{after}");
        std::fs::write(&path, readme).expect("a README that can be written");
        return;
    }
    assert_eq!(found, table, "run the test again with UPDATE_README=1");
}
