"""A built llama.cpp from a public package, called through its C API.

The npm package `@node-llama-cpp/linux-x64` carries the shared libraries of one llama.cpp release
(here v0.5.0), one per x86-64 level. This module fetches the package with the user's own `npm`,
declares the few structs and functions the golden scripts need, and wraps them in `Model`.
The struct layouts are those of `include/llama.h` of that release: with another package version
they must be checked again (`sizeof` is asserted on the defaults that the library returns).
Left out: sampling, chat templates, anything but one sequence on the CPU.
`watched` shows every tensor of a step as it is computed.

needs: numpy, npm, x86-64 Linux
"""
import ctypes as c
import pathlib
import subprocess
import tarfile

import numpy as np

PACKAGE = "@node-llama-cpp/linux-x64@3.22.1"
RELEASE = "v0.5.0"

NULL_LOG = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)(lambda level, text, data: None)


class ModelParams(c.Structure):
    """`llama_model_params`."""
    _fields_ = [
        ("devices", c.c_void_p), ("tensor_buft_overrides", c.c_void_p), ("n_gpu_layers", c.c_int32),
        ("split_mode", c.c_int), ("load_mode", c.c_int), ("lazy_mode", c.c_int), ("main_gpu", c.c_int32),
        ("tensor_split", c.c_void_p), ("progress_callback", c.c_void_p), ("progress_user_data", c.c_void_p),
        ("kv_overrides", c.c_void_p), ("vocab_only", c.c_bool), ("check_tensors", c.c_bool),
        ("use_extra_bufts", c.c_bool), ("no_host", c.c_bool), ("no_alloc", c.c_bool), ("load_mtp", c.c_bool),
    ]


class ContextParams(c.Structure):
    """`llama_context_params`."""
    _fields_ = [
        (name, c.c_uint32) for name in
        ("n_ctx", "n_batch", "n_ubatch", "n_seq_max", "n_rs_seq", "n_outputs_max", "n_outputs_max_per_seq")
    ] + [
        (name, c.c_int32) for name in
        ("n_threads", "n_threads_batch", "ctx_type", "rope_scaling_type", "pooling_type", "attention_type",
         "flash_attn_type")
    ] + [
        (name, c.c_float) for name in
        ("rope_freq_base", "rope_freq_scale", "yarn_ext_factor", "yarn_attn_factor", "yarn_beta_fast",
         "yarn_beta_slow")
    ] + [
        ("yarn_orig_ctx", c.c_uint32), ("defrag_thold", c.c_float), ("cb_eval", c.c_void_p),
        ("cb_eval_user_data", c.c_void_p), ("type_k", c.c_int), ("type_v", c.c_int),
        ("abort_callback", c.c_void_p), ("abort_callback_data", c.c_void_p), ("embeddings", c.c_bool),
        ("offload_kqv", c.c_bool), ("no_perf", c.c_bool), ("op_offload", c.c_bool), ("swa_full", c.c_bool),
        ("kv_unified", c.c_bool), ("samplers", c.c_void_p), ("n_samplers", c.c_size_t), ("ctx_other", c.c_void_p),
    ]


class ThreadpoolParams(c.Structure):
    """`ggml_threadpool_params`."""
    _fields_ = [
        ("cpumask", c.c_bool * 512), ("n_threads", c.c_int), ("prio", c.c_int), ("poll", c.c_uint32),
        ("strict_cpu", c.c_bool), ("paused", c.c_bool),
    ]


class Tensor(c.Structure):
    """`ggml_tensor`."""
    _fields_ = [
        ("type", c.c_int), ("buffer", c.c_void_p), ("ne", c.c_int64 * 4), ("nb", c.c_size_t * 4), ("op", c.c_int),
        ("op_params", c.c_int32 * 16), ("flags", c.c_int32), ("src", c.c_void_p * 10), ("view_src", c.c_void_p),
        ("view_offs", c.c_size_t), ("data", c.c_void_p), ("name", c.c_char * 64), ("extra", c.c_void_p),
    ]


EVAL_CALLBACK = c.CFUNCTYPE(c.c_bool, c.POINTER(Tensor), c.c_bool, c.c_void_p)


class Batch(c.Structure):
    """`llama_batch`: tokens of one or more sequences with positions."""
    _fields_ = [
        ("n_tokens", c.c_int32), ("token", c.POINTER(c.c_int32)), ("embd", c.c_void_p),
        ("pos", c.POINTER(c.c_int32)), ("n_seq_id", c.POINTER(c.c_int32)),
        ("seq_id", c.POINTER(c.POINTER(c.c_int32))), ("logits", c.POINTER(c.c_int8)),
    ]


def fetch_package(directory):
    """Downloads and unpacks the package into `directory` once; returns the folder with its libraries."""
    directory = pathlib.Path(directory)
    libraries = directory / "package" / "bins" / "linux-x64"
    if not libraries.exists():
        directory.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(["npm", "pack", "--silent", PACKAGE, "--pack-destination", str(directory)],
                                check=True, capture_output=True, text=True).stdout.split()[-1]
        with tarfile.open(directory / packed) as archive:
            archive.extractall(directory)
    return libraries


class Library:
    """The loaded llama.cpp; `cpu` names a level (`haswell`, `icelake`, ...) or is None for its own choice."""

    def __init__(self, libraries, cpu=None):
        load = lambda name: c.CDLL(str(libraries / name), mode=c.RTLD_GLOBAL)
        self.base = load("libggml-base.so")
        self.ggml = ggml = load(f"libggml.{RELEASE}.so")
        self.api = load(f"libllama.{RELEASE}.so")
        self.declare()
        self.api.llama_log_set(NULL_LOG, None)
        if cpu is None:
            ggml.ggml_backend_load_all_from_path(str(libraries).encode())
        else:
            ggml.ggml_backend_load.restype = c.c_void_p
            if not ggml.ggml_backend_load(str(libraries / f"libggml-cpu-{cpu}.so").encode()):
                raise SystemExit(f"cannot load the `{cpu}` backend on this machine")
        self.api.llama_backend_init()

    def declare(self):
        """States argument and return types where C's default `int` is wrong."""
        api, pointer = self.api, c.c_void_p
        for name, result, arguments in [
            ("llama_model_default_params", ModelParams, []),
            ("llama_context_default_params", ContextParams, []),
            ("llama_model_load_from_file", pointer, [c.c_char_p, ModelParams]),
            ("llama_init_from_model", pointer, [pointer, ContextParams]),
            ("llama_model_get_vocab", pointer, [pointer]),
            ("llama_vocab_n_tokens", c.c_int32, [pointer]),
            ("llama_vocab_is_eog", c.c_bool, [pointer, c.c_int32]),
            ("llama_tokenize", c.c_int32, [pointer, c.c_char_p, c.c_int32, c.POINTER(c.c_int32), c.c_int32, c.c_bool, c.c_bool]),
            ("llama_token_to_piece", c.c_int32, [pointer, c.c_int32, c.c_char_p, c.c_int32, c.c_int32, c.c_bool]),
            ("llama_batch_init", Batch, [c.c_int32, c.c_int32, c.c_int32]),
            ("llama_batch_free", None, [Batch]),
            ("llama_decode", c.c_int32, [pointer, Batch]),
            ("llama_get_logits", c.POINTER(c.c_float), [pointer]),
            ("llama_get_memory", pointer, [pointer]),
            ("llama_memory_clear", None, [pointer, c.c_bool]),
            ("llama_memory_seq_rm", c.c_bool, [pointer, c.c_int32, c.c_int32, c.c_int32]),
            ("llama_batch_get_one", Batch, [c.POINTER(c.c_int32), c.c_int32]),
            ("llama_synchronize", None, [pointer]),
            ("llama_attach_threadpool", None, [pointer, pointer, pointer]),
            ("llama_state_seq_get_size", c.c_size_t, [pointer, c.c_int32]),
            ("llama_state_seq_get_data", c.c_size_t, [pointer, c.c_void_p, c.c_size_t, c.c_int32]),
            ("llama_state_seq_set_data", c.c_size_t, [pointer, c.c_void_p, c.c_size_t, c.c_int32]),
            ("llama_model_size", c.c_uint64, [pointer]),
            ("llama_free", None, [pointer]),
            ("llama_model_free", None, [pointer]),
            ("llama_print_system_info", c.c_char_p, []),
            ("llama_version", c.c_char_p, []),
        ]:
            function = getattr(api, name)
            function.restype, function.argtypes = result, arguments
        for library, name, result, arguments in [
            (self.base, "ggml_threadpool_params_default", ThreadpoolParams, [c.c_int]),
            (self.base, "ggml_backend_reg_get_proc_address", pointer, [pointer, c.c_char_p]),
            (self.base, "ggml_backend_dev_backend_reg", pointer, [pointer]),
            (self.ggml, "ggml_backend_dev_by_type", pointer, [c.c_int]),
            (self.base, "ggml_op_desc", c.c_char_p, [pointer]),
            (self.base, "ggml_nbytes", c.c_size_t, [pointer]),
            (self.base, "ggml_backend_tensor_get", None, [pointer, pointer, c.c_size_t, c.c_size_t]),
            (self.base, "ggml_backend_tensor_set", None, [pointer, pointer, c.c_size_t, c.c_size_t]),
        ]:
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments

    def threadpool(self, threads):
        """A pool of `threads` threads that lasts, with the defaults of llama.cpp's own programs.

        A context without one starts threads for every step, which costs a small model a lot.
        """
        device = self.ggml.ggml_backend_dev_by_type(0)  # GGML_BACKEND_DEVICE_TYPE_CPU
        registry = self.base.ggml_backend_dev_backend_reg(device)
        address = self.base.ggml_backend_reg_get_proc_address(registry, b"ggml_threadpool_new")
        params = self.base.ggml_threadpool_params_default(threads)
        assert (params.n_threads, params.poll) == (threads, 50), "struct layout differs from ggml.h"
        return c.CFUNCTYPE(c.c_void_p, c.POINTER(ThreadpoolParams))(address)(c.byref(params))


def watched(library, see):
    """A context's `cb_eval` that shows `see(name, values)` every F32 tensor as soon as it is computed.

    Keys and values are rounded to f16 on their way into a cache of F32: as a cache of f16 holds them, without products
    that round queries, too.
    """
    base = library.base

    def callback(pointer, ask, _):
        tensor = pointer.contents
        if ask or tensor.type != 0:
            return True
        raw = np.empty(base.ggml_nbytes(pointer) // 4, np.float32)
        base.ggml_backend_tensor_get(pointer, raw.ctypes.data, 0, raw.nbytes)
        if base.ggml_op_desc(pointer) == b"SET_ROWS" and tensor.name.startswith(b"cache_"):
            raw = raw.astype(np.float16).astype(np.float32)
            base.ggml_backend_tensor_set(pointer, raw.ctypes.data, 0, raw.nbytes)
        else:
            see(tensor.name.decode(), np.ndarray(tuple(tensor.ne[::-1]), np.float32, raw, 0, tuple(tensor.nb[::-1])).copy())
        return True

    return EVAL_CALLBACK(callback)


class Model:
    """One GGUF file with one context of one sequence.

    `repack`: let llama.cpp rewrite weights for its AMX and interleaved kernels (its default). `watch`: see [`watched`].
    """

    def __init__(self, library, path, n_ctx=1024, threads=1, repack=True, flash_attention=-1, watch=None):
        self.api = api = library.api
        params = api.llama_model_default_params()
        assert params.use_extra_bufts and not params.vocab_only, "struct layout differs from llama.h"
        params.use_extra_bufts = repack
        self.model = api.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise SystemExit(f"llama.cpp cannot load `{path}`")
        params = api.llama_context_default_params()
        assert (params.type_k, params.type_v, params.n_ubatch) == (1, 1, 512), "struct layout differs from llama.h"
        params.n_ctx, params.n_batch, params.n_seq_max = n_ctx, n_ctx, 1
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = flash_attention
        if watch:
            # Kept, as the context holds no reference.
            self.watch = watched(library, watch)
            params.cb_eval = c.cast(self.watch, c.c_void_p)
            params.type_k = params.type_v = 0
        self.context = api.llama_init_from_model(self.model, params)
        self.vocab = api.llama_model_get_vocab(self.model)
        self.n_vocab = api.llama_vocab_n_tokens(self.vocab)
        self.position = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.api.llama_free(self.context)
        self.api.llama_model_free(self.model)

    def tokenize(self, text, special=True):
        """Ids of `text` with the model's own BOS rule, special tokens recognised (llama-completion's way) or not."""
        raw = text.encode()
        ids = (c.c_int32 * (len(raw) + 8))()
        count = self.api.llama_tokenize(self.vocab, raw, len(raw), ids, len(ids), True, special)
        return list(ids[:count])

    def piece(self, token):
        """Bytes of one token; control tokens give none."""
        buffer = c.create_string_buffer(256)
        length = self.api.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, False)
        return buffer.raw[:length]

    def is_end(self, token):
        return self.api.llama_vocab_is_eog(self.vocab, token)

    def clear(self):
        self.api.llama_memory_clear(self.api.llama_get_memory(self.context), True)
        self.position = 0

    def decode(self, tokens):
        """Appends `tokens` to the sequence; returns their logits, f32 `[tokens, vocabulary]`."""
        batch = self.api.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, self.position + i, 1
            batch.seq_id[i][0], batch.logits[i] = 0, 1
        status = self.api.llama_decode(self.context, batch)
        self.api.llama_batch_free(batch)
        if status != 0:
            raise SystemExit(f"llama_decode failed with status {status}")
        self.position += len(tokens)
        logits = self.api.llama_get_logits(self.context)
        return np.ctypeslib.as_array(logits, (len(tokens), self.n_vocab)).copy()
