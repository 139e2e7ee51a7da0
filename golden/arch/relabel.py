"""Tensors of a class of `transformers`, as files of a family that it lacks have them: renamed, fused, cut."""
import re

import torch


def renamed(*pairs):
    """All names, by patterns in turn."""
    def change(tensors):
        for pattern, name in pairs:
            tensors = {re.sub(pattern, name, old): tensor for old, tensor in tensors.items()}
        return tensors
    return change


def fused(parts, name, join=torch.cat):
    """Tensors that differ in one part of their name as one: `parts` in this order, called `name`."""
    def change(tensors):
        done = {}
        for old, tensor in tensors.items():
            first = re.sub(rf"\b{parts[0]}\b", "@", old)
            if first != old:
                done[first.replace("@", name)] = join([tensors[first.replace("@", part)] for part in parts])
            elif not any(re.search(rf"\b{part}\b", old) for part in parts):
                done[old] = tensor
        return done
    return change


def by_group(head_dim):
    """Query, key and value by KV head."""
    def join(parts):
        q, k, v = (part.reshape(-1, head_dim, *part.shape[1:]) for part in parts)
        group = len(q) // len(k)
        rows = [torch.cat([q[i * group:(i + 1) * group], k[i:i + 1], v[i:i + 1]]) for i in range(len(k))]
        return torch.cat(rows).flatten(0, 1)
    return join


def experts(tensors):
    """One tensor for each expert, where the package keeps all in one."""
    done = {}
    for name, tensor in tensors.items():
        base, _, part = name.rpartition(".")
        if not base.endswith(".experts"):
            done[name] = tensor
            continue
        for expert, matrix in enumerate(tensor):
            names = ["gate_proj", "up_proj"] if part == "gate_up_proj" else [part]
            for name, rows in zip(names, matrix.chunk(len(names))):
                done[f"{base}.{expert}.{name}.weight"] = rows.contiguous()
    return done


def mxfp4(tensors):
    """Experts in blocks of 4-bit floats, any will do: 16 bytes of codes and a scale for each 32 weights."""
    done = {}
    for name, tensor in tensors.items():
        if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            done[name] = tensor
            continue
        n_experts, width, rows = tensor.shape
        shape = (n_experts, rows, width // 32)
        done[name + "_blocks"] = torch.randint(256, (*shape, 16), dtype=torch.uint8)
        done[name + "_scales"] = torch.randint(120, 126, shape, dtype=torch.uint8)
    return done


def chain(*changes):
    def change(tensors):
        for step in changes:
            tensors = step(tensors)
        return tensors
    return change


GPT = [(r"model\.layers", "transformer.h"), (r"model\.embed_tokens", "transformer.wte"), (r"model\.norm", "transformer.ln_f")]
NORMS = [("input_layernorm", "ln_1"), ("post_attention_layernorm", "ln_2")]
QKV = ["q_proj", "k_proj", "v_proj"]

exaone = renamed(*GPT, *NORMS, ("self_attn", "attn.attention"), ("o_proj", "out_proj"), ("gate_proj", "c_fc_0"),
                 ("up_proj", "c_fc_1"), ("down_proj", "c_proj"))
qwen = chain(fused(QKV, "c_attn"), renamed(*GPT, *NORMS, ("self_attn", "attn"), ("o_proj", "c_proj"), ("gate_proj", "w2"),
                                           ("up_proj", "w1"), ("down_proj", "c_proj")))
internlm2 = chain(fused(QKV, "wqkv", by_group(16)), renamed(
    ("embed_tokens", "tok_embeddings"), ("lm_head", "output"), ("self_attn", "attention"), ("o_proj", "wo"),
    ("input_layernorm", "attention_norm"), ("post_attention_layernorm", "ffn_norm"), ("mlp.gate_proj", "feed_forward.w1"),
    ("mlp.up_proj", "feed_forward.w3"), ("mlp.down_proj", "feed_forward.w2")))
baichuan = fused(QKV, "W_pack")
def without(part):
    """Leaves out what has this in its name."""
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if part not in name}


def hardly_seeing(tensors):
    """Leaves out all of what sees, but one tensor that is to be passed over."""
    sees = [name for name in tensors if re.search(r"\b(visual|vision_model|vision_tower|connector|multi_modal_projector)\.", name)]
    kept = min(sees, key=lambda name: tensors[name].numel())
    return {name: tensor for name, tensor in tensors.items() if name not in sees or name == kept}


def transposed_experts(tensors):
    """Matrices of experts as the hub has them."""
    return {name: tensor.transpose(1, 2).contiguous() if ".experts." in name else tensor for name, tensor in tensors.items()}


ling = chain(experts, fused(QKV, "query_key_value"), renamed(
    ("self_attn", "attention"), ("o_proj", "dense"), ("embed_tokens", "word_embeddings"), ("q_norm", "query_layernorm"),
    ("k_norm", "key_layernorm"), ("e_score_correction_bias", "expert_bias")))
ling1 = chain(without("moe_statics"), ling)


def beside_sight(tensors):
    """A text model beside one that sees."""
    found = {"vision_tower.vision_model.post_layernorm.weight": torch.ones(4), "multi_modal_projector.norm.weight": torch.ones(4)}
    return found | {f"language_model.{name}": tensor for name, tensor in tensors.items()}


def text_part(tensors):
    """A text model inside of one that sees and guesses ahead, experts as they are trained: all in one."""
    found = {"model.visual.blocks.0.norm1.weight": torch.ones(4), "mtp.norm.weight": torch.ones(4)}
    experts = {}
    for name, tensor in tensors.items():
        name = name.replace("model.", "model.language_model.", 1)
        expert = re.fullmatch(r"(.*\.experts)\.(\d+)\.(\w+)\.weight", name)
        if expert:
            experts.setdefault(expert[1], {})[int(expert[2]), expert[3]] = tensor
        else:
            found[name] = tensor
    for base, all_parts in experts.items():
        n = 1 + max(i for i, _ in all_parts)
        gate_up = [torch.cat([all_parts[i, "gate_proj"], all_parts[i, "up_proj"]]) for i in range(n)]
        found[f"{base}.gate_up_proj"] = torch.stack(gate_up)
        found[f"{base}.down_proj"] = torch.stack([all_parts[i, "down_proj"] for i in range(n)])
    return found
