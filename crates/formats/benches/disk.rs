//! How fast a model file comes from disk past the page cache: the limit of weights that are streamed.
//!
//! `cargo bench -p formats -- MODEL.gguf [SECONDS]` reads sections of about 64 MB for so many seconds (5), first by
//! one, two and four threads, each in its own part of the file, then through [`ReadAhead`] with two
//! buffers that are given back at once. Disks are shared and uneven: pair runs to compare.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use formats::disk::{Buffer, Extent, ReadAhead, Section};
use formats::{Gguf, ReadError};

/// About the matrices of a layer that are streamed together.
const SECTION_BYTES: usize = 64 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Cargo adds `--bench`.
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    let Some(path) = args.next() else {
        println!("usage: cargo bench -p formats -- MODEL.gguf [SECONDS]");
        return Ok(());
    };
    let seconds = args.next().map_or(Ok(5.0), |text| text.parse())?;
    let time = Duration::from_secs_f64(seconds);
    let gguf = Gguf::open(&path)?;
    let tensors = gguf.tensors().iter();
    let extents: Vec<Extent> = tensors.filter_map(|tensor| tensor.data.extent()).collect();
    let sections = cut(&extents);
    for num_threads in [1, 2, 4] {
        let speed = by_threads(&sections, num_threads, time)?;
        println!("{num_threads} threads   {speed:.2} GB/s");
    }
    println!("read ahead  {:.2} GB/s", ahead(sections, time)?);
    Ok(())
}

/// Sections of whole tensors, in file order.
fn cut(extents: &[Extent]) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut rest = extents;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |extent: &&Extent| {
            bytes += extent.len();
            bytes <= SECTION_BYTES
        };
        let len = rest.iter().take_while(fits).count().max(1);
        let (some, others) = rest.split_at(len);
        sections.push(Section::new(some));
        rest = others;
    }
    sections
}

/// GB/s of threads that take sections in turns.
fn by_threads(sections: &[Section], num_threads: usize, time: Duration) -> Result<f64, ReadError> {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    let read = || -> Result<usize, ReadError> {
        let longest = sections.iter().map(Section::len).max().unwrap_or(0);
        let (mut buffer, mut bytes) = (Buffer::new(longest), 0);
        while start.elapsed() < time {
            let section = &sections[next.fetch_add(1, Ordering::Relaxed) % sections.len()];
            section.read_into(&mut buffer, || true)?;
            bytes += section.len();
        }
        Ok(bytes)
    };
    let bytes = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..num_threads).map(|_| scope.spawn(read)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().expect("reading does not panic")
        };
        threads.into_iter().map(join).sum::<Result<usize, _>>()
    })?;
    Ok(bytes as f64 / start.elapsed().as_secs_f64() / 1e9)
}

/// GB/s of sections that are taken in order and given back at once.
fn ahead(sections: Vec<Section>, time: Duration) -> Result<f64, Box<dyn std::error::Error>> {
    let ahead = ReadAhead::new(sections.clone(), 2)?;
    let (start, mut bytes) = (Instant::now(), 0);
    for (i, section) in sections.iter().enumerate().cycle() {
        if start.elapsed() >= time {
            break;
        }
        drop(ahead.take(i)?);
        bytes += section.len();
    }
    Ok(bytes as f64 / start.elapsed().as_secs_f64() / 1e9)
}
