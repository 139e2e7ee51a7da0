//! Seeded test data.

/// xorshift64*, see Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Uniform in -1..1.
    pub(crate) fn uniform(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Nearly normal, by the sum of twelve, with variance 1.
    pub(crate) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() / 2.0
    }

    /// Normal with a scale that is itself random: heavy tails, as the weights of models have.
    pub(crate) fn heavy(&mut self) -> f32 {
        self.normal() * (0.7 * self.normal()).exp()
    }
}
