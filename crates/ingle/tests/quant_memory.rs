//! Quantising takes memory for the result, and no more than two tensors beside it.

use formats::{Gguf, GgufWriter, Metadata};
use ingle::DType;
use ingle::quant::{TYPES, quantize};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const ROWS: usize = 96;
const COLS: usize = 2048;

/// A file that is mapped, and removed again.
struct File(std::path::PathBuf);

impl File {
    fn with_tensors(count: usize) -> Self {
        let name = format!("ingle-quant-memory-{}.gguf", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut writer = GgufWriter::new(Metadata::new()).expect("no metadata");
        for i in 0..count {
            let name = format!("blk.{i}.ffn_up.weight");
            // Numbers near 1 in BF16, all kinds of mantissas.
            let data: Vec<u8> = (0..ROWS * COLS)
                .flat_map(|i| [(i * 7) as u8, 0x3f])
                .collect();
            let shape = [ROWS, COLS];
            writer
                .tensor(&name, DType::BF16, &shape, data)
                .expect("a sound tensor");
        }
        let mut file = std::fs::File::create(&path).expect("a new file");
        writer.write(&mut file).expect("room on the disk");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// One test, because memory is counted for the whole process.
#[test]
fn the_result_and_no_more_than_two_tensors() {
    let file = File::with_tensors(8);
    let tensor_bytes = ROWS * COLS * 2;
    for dtype in TYPES {
        let gguf = Gguf::open(&file.0).expect("sound");
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let result = quantize(gguf, dtype, 2, &mut ()).expect("a type of the list");
        let peak = MEMORY.peak_usage() - before;
        let bytes = result.file_bytes() as usize;
        assert!(bytes < 8 * tensor_bytes, "{dtype}: it is smaller");
        // The result lies in pages of its own, which the allocator does not see.
        assert!(
            peak <= 2 * tensor_bytes,
            "{dtype}: {peak} bytes beside a result of {bytes}"
        );
        assert!(
            result
                .tensors()
                .iter()
                .all(|tensor| !tensor.data.is_mapped())
        );
    }
}
