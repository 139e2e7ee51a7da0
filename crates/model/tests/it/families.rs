//! Every family against `transformers`, tap by tap: `golden/arch/make.py` made the models and the values.

use formats::Gguf;
use model::arch::FAMILIES;
use testkit::distance::relative_rms;
use testkit::golden;

use crate::run::{level, load, taps};

/// Relative error of a tap, both sides in f32. It is 3e-5 at most, where a key or value falls on the other
/// side of a tie when it becomes f16, and 1e-6 elsewhere.
const BOUND: f64 = 1e-4;

/// How much of the golden sequence is fed, and in what steps.
const RUNS: &[(usize, usize)] = &[
    (100, 100),
    (100, 1),
    (100, 7),
    (97, 32),
    (65, 64),
    (64, 64),
    (33, 33),
    (32, 16),
    (17, 9),
    (9, 9),
    (5, 4),
    (1, 1),
];

struct Golden {
    family: &'static str,
    model: Gguf,
    taps: Gguf,
    tokens: Vec<u32>,
    positions: Vec<usize>,
}

impl Golden {
    fn open(family: &'static str) -> Self {
        let paths = ["gguf", "taps.gguf"].map(|end| golden::path(&format!("arch/{family}.{end}")));
        let sizes = paths.each_ref().map(|path| {
            let file = path.metadata();
            file.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
                .len()
        });
        assert!(
            sizes.iter().sum::<u64>() <= 300_000,
            "{family}: {sizes:?} bytes"
        );
        let [model, taps] = paths.map(|path| Gguf::open(path).expect("a golden file"));
        let tokens = taps.metadata().require("golden.tokens").expect("tokens");
        let positions = taps.metadata().require("golden.positions");
        let positions = positions.expect("positions");
        Self {
            family,
            model,
            taps,
            tokens,
            positions,
        }
    }

    /// Fails with the first tap that differs: everything before it is right.
    fn check(&self, len: usize, step: usize) {
        let Self { family, .. } = self;
        let model = load(&self.model, level(), 2);
        let found = taps(&model, &self.tokens[..len], step);
        let kept = self.positions.iter().filter(|&&position| position < len);
        for &(name, layer) in &found.names {
            let tap = layer.map_or(name.to_owned(), |layer| format!("{name}-{layer}"));
            let expected = self.taps.tensor(&tap);
            let expected = expected.unwrap_or_else(|| panic!("{family}: no golden `{tap}`"));
            let (width, bytes) = (expected.shape[1], expected.data.as_chunks::<4>().0);
            let expected = bytes.iter().map(|&x| f64::from(f32::from_le_bytes(x)));
            let expected: Vec<f64> = expected.take(kept.clone().count() * width).collect();
            let row = |&position: &usize| &found.taps[&(name, layer)][position * width..][..width];
            let found: Vec<f32> = kept.clone().flat_map(row).copied().collect();
            let error = relative_rms(&found, &expected);
            assert!(
                error <= BOUND,
                "{family}, {len} tokens in steps of {step}: first difference at `{tap}`, relative error {error:e}"
            );
        }
        let names = found.names.len();
        assert_eq!(
            names,
            self.taps.tensors().len(),
            "{family}: every tap is there"
        );
    }
}

#[test]
fn every_family_computes_what_transformers_does() {
    for family in FAMILIES {
        let golden = Golden::open(family.gguf_name);
        for &(len, step) in RUNS {
            golden.check(len, step);
        }
    }
}
