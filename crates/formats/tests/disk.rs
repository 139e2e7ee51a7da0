//! Parts of a file read past the page cache: the same bytes as the mapping has, and errors where it would fault.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use formats::disk::{Buffer, Extent, ReadAhead, Section};
use formats::gguf::Metadata;
use formats::{Gguf, GgufWriter};
use tensor::DType;

/// A file that is removed at the end of the test.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A file with an F32 vector of each length, all numbers different, and its tensors.
fn file(test: &str, lens: &[usize]) -> (Scratch, Gguf) {
    let path = std::env::temp_dir().join(format!("formats-disk-{test}-{}", std::process::id()));
    let scratch = Scratch(path);
    let mut writer = GgufWriter::new(Metadata::new()).expect("sound metadata");
    for (i, &len) in lens.iter().enumerate() {
        let data: Vec<u8> = (0..len)
            .flat_map(|x| ((i * 1_000_003 + x) as f32).to_le_bytes())
            .collect();
        writer
            .tensor(&format!("t{i}"), DType::F32, &[len], data)
            .expect("a sound tensor");
    }
    let mut bytes = Vec::new();
    writer.write(&mut bytes).expect("memory");
    std::fs::write(&scratch.0, bytes).expect("writable");
    let gguf = Gguf::open(&scratch.0).expect("what was just written");
    (scratch, gguf)
}

fn extents(gguf: &Gguf) -> Vec<Extent> {
    let extent = |tensor: &formats::Tensor| tensor.data.extent().expect("the file is mapped");
    gguf.tensors().iter().map(extent).collect()
}

/// Small ones, one that needs several reads, one that ends in the last, cut page.
const LENS: [usize; 6] = [1, 5000, 7, (4 << 20) + 5, 40_000, 333];

#[test]
fn sections_hold_what_the_mapping_holds() {
    let (_scratch, gguf) = file("sections", &LENS);
    let all = extents(&gguf);
    // Neighbours, a pair with a wide gap between them, one twice, the wrong way round, and nothing.
    let picks: [&[usize]; 7] = [&[0, 1, 2], &[2, 4], &[3], &[1, 1], &[5, 0], &[5], &[]];
    for pick in picks {
        let section = Section::new(&pick.iter().map(|&i| all[i].clone()).collect::<Vec<_>>());
        let bytes = section.read().expect("readable");
        assert_eq!(bytes.len(), section.len());
        assert!(!bytes.is_mapped());
        for (place, &i) in section.places().iter().zip(pick) {
            assert_eq!(
                bytes[place.clone()],
                *gguf.tensors()[i].data,
                "{pick:?}: t{i}"
            );
        }
    }
    // A wide gap is jumped over, a narrow one read along.
    assert!(Section::new(&[all[2].clone(), all[4].clone()]).len() < 200_000);
    assert_eq!(Section::new(&[]).len(), 0);
}

#[test]
fn single_bytes_are_read() {
    let (_scratch, gguf) = file("single", &LENS);
    let mut buffer = [0; 9];
    extents(&gguf)[1]
        .read_at(4001, &mut buffer)
        .expect("readable");
    assert_eq!(buffer, gguf.tensors()[1].data[4001..4010]);
}

#[test]
fn rounds_give_the_same_bytes_through_any_number_of_buffers() {
    let (_scratch, gguf) = file("rounds", &LENS);
    let sections: Vec<Section> = extents(&gguf).chunks(1).map(Section::new).collect();
    for num_buffers in 1..=4 {
        let ahead = ReadAhead::new(sections.clone(), num_buffers).expect("a thread");
        let mut check = |i: usize| {
            let loaded = ahead.take(i).expect("readable");
            let place = sections[i].places()[0].clone();
            assert_eq!(loaded[place], *gguf.tensors()[i].data, "section {i}");
        };
        for _ in 0..3 {
            (0..sections.len()).for_each(&mut check);
        }
        // Somebody gave up in the middle of a round and began anew; then a jump, and the same again.
        [0, 1, 0, 1, 2, 5, 0, 3, 3].into_iter().for_each(&mut check);
    }
    let ahead = ReadAhead::new(sections, 2).expect("a thread");
    let (a, b) = (
        ahead.take(0).expect("readable"),
        ahead.take(1).expect("readable"),
    );
    assert_ne!(a[..], b[..]);
}

#[test]
fn a_file_cut_short_is_an_error_and_not_the_end() {
    let (scratch, gguf) = file("cut", &LENS);
    let (all, len) = (extents(&gguf), gguf.file_bytes());
    let expected: Vec<Vec<u8>> = gguf.tensors().iter().map(|t| t.data.to_vec()).collect();
    drop(gguf);
    let sections: Vec<Section> = all.chunks(1).map(Section::new).collect();
    let ahead = ReadAhead::new(sections.clone(), 2).expect("a thread");
    let whole = std::fs::read(&scratch.0).expect("readable");
    let cut = |len: u64| {
        let file = std::fs::File::options().write(true).open(&scratch.0);
        file.and_then(|file| file.set_len(len)).expect("writable");
    };
    // A little short (the end is padding), and at a page's border somewhere inside of t4.
    for short in [len - 20, (len - 60_000).next_multiple_of(4096)] {
        cut(short);
        let error = sections[5].read().expect_err("the end is missing");
        let text = error.to_string();
        assert!(
            text.contains("cannot read") && text.contains("formats-disk-cut"),
            "{text}"
        );
        assert_eq!(error.error.kind(), std::io::ErrorKind::UnexpectedEof);
        all[5]
            .read_at(0, &mut vec![0; all[5].len()])
            .expect_err("missing");
        // What is still there can be had, round after round; what is not is an error each time.
        for _ in 0..3 {
            for (i, expected) in expected.iter().enumerate().take(4) {
                let loaded = ahead.take(i).expect("still there");
                assert_eq!(loaded[sections[i].places()[0].clone()], expected[..]);
            }
            let failed = (4..6).filter(|&i| ahead.take(i).is_err()).count();
            assert_eq!(failed, if short == len - 20 { 1 } else { 2 });
        }
        std::fs::write(&scratch.0, &whole).expect("writable");
        ahead.take(5).expect("there again");
    }
}

#[test]
fn reading_stops_when_nobody_wants_it() {
    let (_scratch, gguf) = file("stop", &LENS);
    let section = Section::new(&extents(&gguf)[3..4]);
    let mut buffer = Buffer::new(section.len());
    let reads = AtomicUsize::new(0);
    let wanted = || reads.fetch_add(1, Ordering::Relaxed) < 1;
    assert!(!section.read_into(&mut buffer, wanted).expect("readable"));
    let asked = reads.into_inner();
    assert!(
        (2..=5).contains(&asked),
        "one read, then none by any thread"
    );
    assert!(section.read_into(&mut buffer, || true).expect("readable"));
}
