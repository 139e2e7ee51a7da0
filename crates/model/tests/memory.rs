//! How much memory a model with streamed weights takes: what the plan says, and nothing of the file.

use formats::Gguf;
use model::placement::Placement;
use model::{Batch, KvCache, KvType, LoadOptions, Model, NoProbe, Workspace};
use peak_alloc::PeakAlloc;
use tensor::DType;
use testkit::TinyModel;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

#[test]
fn streamed_weights_take_what_was_planned() {
    let tiny = TinyModel {
        n_layers: 12,
        tied: true,
        ..TinyModel::quantized(DType::F32)
    };
    let path = std::env::temp_dir().join(format!("model-memory-{}.gguf", std::process::id()));
    std::fs::write(&path, tiny.parts().write()).expect("writable");
    let options = LoadOptions {
        num_threads: 1,
        ..LoadOptions::default()
    };

    let gguf = Gguf::open(&path).expect("a sound file");
    let mut model = Model::load(&gguf, &options).expect("a sound model");
    let weights = model.weight_bytes();
    let budget = weights.total() / 4;
    let plan = Placement::plan(&weights, budget).expect("enough");
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    model.place(&plan).expect("readable");
    drop(gguf);
    let mut cache = KvCache::new(model.config(), KvType::F16, 1, 1);
    let mut workspace = Workspace::new(model.config(), 32, 1);
    let buffers = KvCache::size_bytes(model.config(), KvType::F16, 32)
        + Workspace::size_bytes(model.config(), 32, 1);
    for tokens in [vec![1; 32], vec![2]] {
        let mut batch = Batch::of_sequence(&tokens, 0, &[0]);
        batch.outputs = vec![0];
        let logits = model.forward(&batch, &mut cache, &mut workspace, &mut NoProbe);
        logits.expect("readable");
    }
    let used = MEMORY.peak_usage() - before;
    // Whole pages, norms between matrices, and what a step and a thread take besides.
    let slack = 600_000;
    assert!(
        used as u64 <= budget + buffers as u64 + slack,
        "{used} bytes for {budget} of {} and buffers of {buffers}",
        weights.total()
    );
    #[cfg(target_os = "linux")]
    {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("readable");
        assert!(
            !maps.contains("model-memory-"),
            "the file is not mapped any more"
        );
    }
    std::fs::remove_file(&path).expect("it is there");
}
