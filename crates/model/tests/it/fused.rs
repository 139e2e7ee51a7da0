//! Matrices that GGUF may have in one: query, key and value; gates and what they multiply, of experts.

use formats::{Gguf, Tensor};

use crate::goldens;
use crate::run::{level, load, logits};

/// Rows (of matrices, or of biases) one after the other; of experts, within each.
fn joined(parts: &[Tensor], name: String) -> Tensor {
    let first = &parts[0];
    let of_experts = first.name.contains("_exps.");
    let (stack, axis) = match of_experts {
        true => (first.shape[0], 1),
        false => (1, 0),
    };
    let bytes = |part: &Tensor| part.data.len() / stack;
    let data: Vec<u8> = (0..stack)
        .flat_map(|i| {
            parts
                .iter()
                .flat_map(move |part| &part.data[i * bytes(part)..][..bytes(part)])
        })
        .copied()
        .collect();
    let mut shape = first.shape.clone();
    shape[axis] = parts.iter().map(|part| part.shape[axis]).sum();
    Tensor {
        name,
        dtype: first.dtype,
        shape,
        data: data.into(),
    }
}

/// The model with `roles` as one tensor, in each layer that has all of them; none if no layer has.
fn fused(gguf: &Gguf, roles: &[&str], one: &str) -> Option<Gguf> {
    let (metadata, mut tensors) = gguf.clone().into_parts();
    let before = tensors.len();
    for (layer, part) in (0..8).flat_map(|layer| [(layer, "weight"), (layer, "bias")]) {
        let name = |role: &str| format!("blk.{layer}.{role}.{part}");
        let find = |role: &&str| tensors.iter().find(|tensor| tensor.name == name(role));
        let parts: Option<Vec<Tensor>> = roles.iter().map(|role| find(role).cloned()).collect();
        let Some(parts) = parts else {
            continue;
        };
        tensors.retain(|tensor| parts.iter().all(|part| part.name != tensor.name));
        tensors.push(joined(&parts, name(one)));
    }
    (tensors.len() < before).then(|| Gguf::from_parts(metadata, tensors).expect("sound"))
}

#[test]
fn matrices_in_one_give_the_same_bits() {
    let (mut heads, mut experts) = (0, 0);
    for (name, gguf) in goldens::files() {
        let run = |gguf: &Gguf| logits(&load(gguf, level(), 1), &[3, 1, 4, 1, 5], 5);
        let expected = run(&gguf);
        let all = fused(&gguf, &["attn_q", "attn_k", "attn_v"], "attn_qkv");
        heads += usize::from(all.is_some());
        let gates = fused(&gguf, &["ffn_gate_exps", "ffn_up_exps"], "ffn_gate_up_exps");
        experts += usize::from(gates.is_some());
        for other in [all, gates].into_iter().flatten() {
            assert!(run(&other) == expected, "{name}: other bits");
        }
    }
    assert!(heads > 40 && experts > 10, "{heads} and {experts} models");
}
