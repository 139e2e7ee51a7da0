//! KV blocks as bytes.

use model::{Batch, Kept, KvCache, KvType, LoadOptions, Model, NoProbe, Workspace};
use testkit::{Random, TinyModel};

/// A model of which every other layer sees a window.
fn windowed() -> TinyModel {
    TinyModel {
        head_dim: 20,
        rope_dim: 20,
        ..TinyModel::gemma2()
    }
}

/// A block gives out the positions that are asked for and nothing of the others, and goes into any other block.
#[test]
fn blocks_go_out_and_come_back() {
    let tiny = windowed();
    let model = Model::load(&tiny.build(), &LoadOptions::default()).expect("it loads");
    let tokens = Random::new(2).tokens(64, tiny.vocab_size);
    let kinds = [Kept::All, Kept::Window].into_iter();
    for (kv_type, kept) in kinds.flat_map(|kept| KvType::ALL.map(|kv_type| (kv_type, kept))) {
        let computed = |len: usize| {
            let mut cache = KvCache::new(model.config(), kv_type, 3, 1);
            let mut workspace = Workspace::new(model.config(), 64, 1);
            let batch = Batch::of_sequence(&tokens[..len], 0, &[1]);
            let result = model.forward(&batch, &mut cache, &mut workspace, &mut NoProbe);
            result.expect("all is in memory");
            cache
        };
        let mut whole = computed(64);
        for len in [1, 6, 63, 64] {
            let part = whole.block(kept, 1, len);
            assert_eq!(part.len(), whole.block_bytes(kept));
            assert_eq!(
                part,
                computed(len).block(kept, 1, 64),
                "{len} of {kv_type:?}"
            );
        }
        let held = whole.block(kept, 1, 64);
        whole.set_block(kept, 2, &held);
        assert_eq!(whole.block(kept, 2, 64), held);
        assert_eq!(whole.block(kept, 1, 64), held);
        assert_ne!(whole.block(kept, 0, 64), held);
    }
}
