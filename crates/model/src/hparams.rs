//! Hyperparameters out of GGUF metadata: read under the architecture's prefix, and checked.

use formats::gguf::{FromScalar, Metadata, Value};

use crate::LoadError;

/// Most layers that are believed.
const MAX_LAYERS: usize = 512;
/// Largest width, head count or vocabulary that is believed.
const MAX_WIDTH: usize = 1 << 24;

/// Widest head that is believed.
const MAX_HEAD_DIM: usize = 1024;

/// The metadata of one model, seen from its architecture.
pub struct Hparams<'a> {
    metadata: &'a Metadata,
    prefix: &'a str,
}

impl<'a> Hparams<'a> {
    /// Keys are looked up as `prefix.key`.
    pub fn new(metadata: &'a Metadata, prefix: &'a str) -> Self {
        Self { metadata, prefix }
    }

    /// The whole name of a key.
    pub fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.prefix)
    }

    /// A number or truth value, if the key is there.
    pub fn opt<T: FromScalar>(&self, key: &str) -> Result<Option<T>, LoadError> {
        Ok(self.metadata.opt(&self.key(key))?)
    }

    /// A string, if the key is there.
    pub fn opt_str(&self, key: &str) -> Result<Option<String>, LoadError> {
        Ok(self.metadata.opt(&self.key(key))?)
    }

    /// A size: positive and not absurd.
    pub fn size(&self, key: &str) -> Result<usize, LoadError> {
        let size = self.metadata.require::<usize>(&self.key(key))?;
        self.check(
            key,
            size,
            "a number from 1 to 16777216",
            (1..=MAX_WIDTH).contains(&size),
        )
    }

    /// A size, or `default` if the key is not there.
    pub fn size_or(&self, key: &str, default: usize) -> Result<usize, LoadError> {
        if !self.has(key) {
            return Ok(default);
        }
        self.size(key)
    }

    /// The number of layers.
    pub fn n_layers(&self) -> Result<usize, LoadError> {
        let n = self.size("block_count")?;
        self.check("block_count", n, "at most 512 layers", n <= MAX_LAYERS)
    }

    /// A size for each layer: one number for all, or an array with one for each.
    pub fn size_per_layer(&self, key: &str, n_layers: usize) -> Result<Vec<usize>, LoadError> {
        if !matches!(self.metadata.get(&self.key(key)), Some(Value::Array(_))) {
            return Ok(vec![self.size(key)?; n_layers]);
        }
        let sizes = self.metadata.require::<Vec<usize>>(&self.key(key))?;
        let len = sizes.len();
        self.check(
            key,
            format!("{len} numbers"),
            &format!("{n_layers} numbers"),
            len == n_layers,
        )?;
        let ok = sizes.iter().all(|size| (1..=MAX_WIDTH).contains(size));
        self.check(key, format!("{sizes:?}"), "numbers from 1 to 16777216", ok)?;
        Ok(sizes)
    }

    /// A positive, finite float.
    pub fn positive(&self, key: &str) -> Result<f32, LoadError> {
        let x = self.metadata.require::<f32>(&self.key(key))?;
        self.check(key, x, "a positive number", x > 0.0 && x.is_finite())
    }

    /// A positive, finite float, or `default` if the key is not there.
    pub fn positive_or(&self, key: &str, default: f32) -> Result<f32, LoadError> {
        if !self.has(key) {
            return Ok(default);
        }
        self.positive(key)
    }

    /// Whether the key is there at all.
    pub fn has(&self, key: &str) -> bool {
        self.metadata.get(&self.key(key)).is_some()
    }

    /// Elements of a head: `attention.key_length`, else `d_model / n_heads`.
    pub fn head_dim(&self, d_model: usize, n_heads: usize) -> Result<usize, LoadError> {
        if !self.has("attention.key_length") {
            let whole = d_model.is_multiple_of(n_heads);
            let expected = format!("a divisor of {d_model}, the model's width");
            self.check("attention.head_count", n_heads, &expected, whole)?;
            return Ok(d_model / n_heads);
        }
        let head_dim = self.size("attention.key_length")?;
        let v_head_dim = self.size_or("attention.value_length", head_dim)?;
        let expected = format!("{head_dim}, as `attention.key_length`");
        self.check(
            "attention.value_length",
            v_head_dim,
            &expected,
            v_head_dim == head_dim,
        )
    }

    /// Checks that heads can be grouped and a head can be turned in pairs.
    pub fn check_heads(
        &self,
        n_heads: usize,
        n_kv_heads: usize,
        head_dim: usize,
    ) -> Result<(), LoadError> {
        let expected = format!("a divisor of {n_heads}, the number of heads");
        self.check(
            "attention.head_count_kv",
            n_kv_heads,
            &expected,
            n_heads.is_multiple_of(n_kv_heads),
        )?;
        let usable = head_dim.is_multiple_of(2) && head_dim <= MAX_HEAD_DIM;
        self.check(
            "attention.key_length",
            head_dim,
            "an even number up to 1024",
            usable,
        )?;
        Ok(())
    }

    /// `value` if `ok`, else an error that names the key.
    pub fn check<T: std::fmt::Display>(
        &self,
        key: &str,
        value: T,
        expected: &str,
        ok: bool,
    ) -> Result<T, LoadError> {
        if ok {
            return Ok(value);
        }
        let (key, found) = (self.key(key), value.to_string());
        Err(LoadError::Hyperparameter {
            key,
            expected: expected.into(),
            found,
        })
    }
}
