//! Recurrent mixers as data. What each keeps of a sequence, however long: a convolution's last inputs, and what else recurs.

use kernels::{ChannelScan, Heads};

use super::NormConfig;

/// A layer's short convolution: `output(c * conv(b * x))`, `b`, `c` and `x` being parts of one matrix's product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortConvConfig {
    /// Channels.
    pub channels: usize,
    /// Tokens that count, the current one included.
    pub width: usize,
}

impl ShortConvConfig {
    pub(super) fn state_lens(&self) -> [usize; 2] {
        [(self.width - 1) * self.channels, 0]
    }
}

/// A layer's state space model of channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelScanConfig {
    /// Channels.
    pub channels: usize,
    /// Numbers of a channel's state.
    pub n_state: usize,
    /// Width between the two matrices of the step.
    pub rank: usize,
    /// Tokens that the convolution sees.
    pub conv_width: usize,
    /// Norms of what makes the step, and of what writes and reads the state.
    pub norms: Option<InnerNorms>,
}

/// Norms inside of a mixer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InnerNorms {
    /// Which.
    pub norm: NormConfig,
    /// Whether they have gains.
    pub gains: bool,
}

impl ChannelScanConfig {
    pub(super) fn state_lens(&self) -> [usize; 2] {
        [
            (self.conv_width - 1) * self.channels,
            ChannelScan::state_len(self.channels, self.n_state),
        ]
    }
}

/// A layer's state space model of heads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadScanConfig {
    /// Heads: keys are numbers of the state, values channels.
    pub heads: Heads,
    /// Groups of heads that share what writes and reads the state.
    pub n_groups: usize,
    /// Tokens that the convolution sees.
    pub conv_width: usize,
    /// Norm of what it gives, in groups.
    pub norm: Option<NormConfig>,
}

impl HeadScanConfig {
    /// Channels of all heads.
    pub fn d_inner(&self) -> usize {
        self.heads.n_heads * self.heads.value_dim
    }

    /// Channels that go through the convolution.
    pub fn d_conv(&self) -> usize {
        self.d_inner() + 2 * self.n_groups * self.heads.key_dim
    }

    pub(super) fn state_lens(&self) -> [usize; 2] {
        let conv = (self.conv_width - 1) * self.d_conv();
        [conv, self.heads.state_len()]
    }
}

/// A layer's linear attention with the gated delta rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeltaNetConfig {
    /// Heads of values.
    pub heads: Heads,
    /// Heads of queries and keys.
    pub n_key_heads: usize,
    /// Whether heads of values that share a key head are neighbours; else they lie `n_key_heads` apart.
    pub grouped: bool,
    /// Tokens that the convolution sees.
    pub conv_width: usize,
    /// Norm of what each head gives.
    pub norm: NormConfig,
}

impl DeltaNetConfig {
    /// Elements of all keys.
    pub fn d_key(&self) -> usize {
        self.n_key_heads * self.heads.key_dim
    }

    /// Elements of all values.
    pub fn d_value(&self) -> usize {
        self.heads.n_heads * self.heads.value_dim
    }

    /// Channels that go through the convolution.
    pub fn d_conv(&self) -> usize {
        2 * self.d_key() + self.d_value()
    }

    /// Where rows of queries, keys and values, and those of gates, stand in a matrix that has all of a key head
    /// together.
    pub(crate) fn by_key_head(&self) -> [Vec<usize>; 2] {
        let group = self.heads.n_heads / self.n_key_heads;
        let (key, value) = (self.heads.key_dim, group * self.heads.value_dim);
        let part = |start: usize, len: usize| {
            let heads = (0..self.n_key_heads).map(move |head| head * 2 * (key + value) + start);
            heads.flat_map(move |start| start..start + len)
        };
        let qkv = part(0, key)
            .chain(part(key, key))
            .chain(part(2 * key, value));
        [qkv.collect(), part(2 * key + value, value).collect()]
    }

    pub(super) fn state_lens(&self) -> [usize; 2] {
        let conv = (self.conv_width - 1) * self.d_conv();
        [conv, self.heads.state_len()]
    }
}

/// RWKV 6's time mix: a matrix for each head that decays as the token says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wkv6Config {
    /// Heads, as wide as the model together.
    pub heads: Heads,
    /// Width between the two matrices that decide how much of the token before goes where.
    pub mix_rank: usize,
    /// Width between the two matrices of decays.
    pub decay_rank: usize,
    /// Norm of what each head gives.
    pub norm: NormConfig,
}

/// RWKV 7's time mix: what the state holds is replaced, too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wkv7Config {
    /// Heads, as wide as the model together.
    pub heads: Heads,
    /// Width between the two matrices of decays.
    pub decay_rank: usize,
    /// Likewise of rates.
    pub rate_rank: usize,
    /// Likewise of how much of the first layer's value is taken; none in the first layer.
    pub value_rank: Option<usize>,
    /// Likewise of gates.
    pub gate_rank: usize,
    /// Norm of what each head gives.
    pub norm: NormConfig,
}

/// What both generations keep: the token before, and a matrix for each head.
pub(super) fn wkv_state_lens(heads: Heads) -> [usize; 2] {
    [heads.n_heads * heads.value_dim, heads.state_len()]
}
