//! Seeded numbers, and random but sane quant blocks.

use tensor::DType;

/// xorshift64*, Vigna 2016 (arXiv:1402.6246).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Evenly in -1..1.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.unit()).collect()
    }

    /// Blocks of random bytes whose f16 scales are small and finite, of either sign.
    pub(crate) fn blocks(&mut self, dtype: DType, len: usize) -> Vec<u8> {
        let num_blocks = len / dtype.block_len();
        let mut bytes: Vec<u8> = (0..num_blocks * dtype.block_bytes())
            .map(|_| self.next() as u8)
            .collect();
        for block in bytes.chunks_exact_mut(dtype.block_bytes()) {
            let halves: &[usize] = match dtype {
                DType::Q4_1 | DType::Q5_1 | DType::Q4_K | DType::Q5_K => &[0, 2],
                DType::Q2_K => &[80, 82],
                DType::Q3_K => &[108],
                DType::Q6_K => &[208],
                DType::TQ1_0 => &[52],
                DType::TQ2_0 => &[64],
                DType::F16 => &[0],
                DType::F32
                | DType::BF16
                | DType::MXFP4
                | DType::NVFP4
                | DType::Q8_K
                | DType::IQ1_M => &[],
                _ => &[0],
            };
            for &at in halves {
                let scale = half::f16::from_f32(self.unit() * 0.1);
                block[at..at + 2].copy_from_slice(&scale.to_le_bytes());
            }
            match dtype {
                DType::F32 => block.copy_from_slice(&self.unit().to_le_bytes()),
                DType::BF16 => {
                    block.copy_from_slice(&half::bf16::from_f32(self.unit()).to_le_bytes())
                }
                DType::MXFP4 => block[0] = 120 + block[0] % 8,
                DType::NVFP4 => block[..4].iter_mut().for_each(|scale| *scale &= 0x7f),
                DType::Q8_K => block[..4].copy_from_slice(&(self.unit() * 0.1).to_le_bytes()),
                // The four top nibbles are an f16: 0x2c.. is about 0.06.
                DType::IQ1_M => {
                    for (at, nibble) in [(49, 0), (51, 0), (53, 0xc0), (55, 0x20)] {
                        block[at] = block[at] & 15 | nibble;
                    }
                }
                _ => {}
            }
        }
        bytes
    }
}
