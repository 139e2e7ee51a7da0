//! A small thread pool: persistent workers that claim pieces of one job at a time.
//!
//! The caller works too. Pieces are claimed from an atomic counter, because virtual CPUs get taken
//! away at any moment and a static split would wait for the one that was. Between jobs a worker
//! spins for some tens of microseconds, as the next operation of a layer follows at once, and then parks.
//!
//! Soundness: two promises hold this file up. A job's closure is borrowed only until [`Pool::run`]
//! returns, and `run` returns only when every worker has said that it is done with it, also when a
//! panic passes through. And [`Tile`]s of one call never overlap: each is claimed once, from a grid.

#![allow(
    unsafe_code,
    reason = "one of the four rooms that may: see ARCHITECTURE.md"
)]

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, Thread};

/// Turns of a waiting worker before it parks: about 50 µs with x86's `pause`.
const SPINS: usize = 1_000;

/// Whether the platform can start threads; WebAssembly alone cannot.
const HAS_THREADS: bool = !cfg!(target_family = "wasm");

/// Most outputs that one [`Pool::tiles`] fills: query, key and value, or gate and up.
const MAX_OUTPUTS: usize = 4;

/// Stretches that tiles are cut into at most: one for each thread, and more threads than that share.
const MAX_STRETCHES: usize = 32;

/// A counter on a cache line of its own.
#[repr(align(128))]
struct Line(AtomicUsize);

type Job = *const (dyn Fn(usize) + Sync);

struct Shared {
    /// Goes up by one for every job, and once more to stop.
    generation: AtomicU64,
    job: UnsafeCell<Option<Job>>,
    num_running: AtomicUsize,
    panicked: AtomicBool,
    stop: AtomicBool,
    parked: Vec<AtomicBool>,
}

// SAFETY: `job` is written only by the thread that holds `Pool::caller` while no worker runs, and read
// by workers only after they saw the generation that was stored (release) after it. The pointer
// itself is to a `Sync` closure.
unsafe impl Sync for Shared {}
// SAFETY: as above; nothing in it belongs to a thread.
unsafe impl Send for Shared {}

/// A pool of `num_threads` threads, the caller of [`Pool::run`] being one of them.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<(JoinHandle<()>, Thread)>,
    caller: Mutex<()>,
}

impl Pool {
    /// Starts `num_threads - 1` workers (at least none; none where there are no threads).
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn new(num_threads: usize) -> std::io::Result<Self> {
        let num_workers = if HAS_THREADS {
            num_threads.saturating_sub(1)
        } else {
            0
        };
        let shared = Arc::new(Shared {
            generation: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            num_running: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            parked: (0..num_workers).map(|_| AtomicBool::new(false)).collect(),
        });
        let mut pool = Self {
            shared,
            workers: Vec::new(),
            caller: Mutex::new(()),
        };
        for index in 0..num_workers {
            let shared = pool.shared.clone();
            let handle = thread::Builder::new()
                .name(format!("ingle-{}", index + 1))
                .spawn(move || worker(&shared, index))?;
            let thread = handle.thread().clone();
            pool.workers.push((handle, thread));
        }
        Ok(pool)
    }

    /// Threads that work on a job, the caller included.
    pub fn num_threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `job(i)` once on every thread `i < num_threads`, and waits for all.
    ///
    /// # Panics
    /// If the job panics on any thread, here again.
    pub fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() {
            return job(0);
        }
        let _one_job_at_a_time = self
            .caller
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let shared = &*self.shared;
        // SAFETY: the lifetime is erased only until the wait below has seen every worker finish.
        let erased = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        // SAFETY: we hold `caller`, and `num_running` is 0, so no worker reads the cell.
        unsafe { *shared.job.get() = Some(erased) };
        shared
            .num_running
            .store(self.workers.len(), Ordering::Relaxed);
        shared.generation.fetch_add(1, Ordering::SeqCst);
        self.wake();
        let mine = catch_unwind(AssertUnwindSafe(|| job(0)));
        let mut turns = 0_usize;
        while shared.num_running.load(Ordering::Acquire) != 0 {
            turns += 1;
            if turns < SPINS {
                std::hint::spin_loop()
            } else {
                thread::yield_now()
            }
        }
        if let Err(panic) = mine {
            resume_unwind(panic);
        }
        assert!(
            !shared.panicked.swap(false, Ordering::Relaxed),
            "a worker thread panicked, see above"
        );
    }

    /// Cuts each output into tiles of `row_step x col_step` and runs `f(output, tile, thread)` for all
    /// of them, on all threads. A thread begins with a stretch of its own, tile after tile, so that it reads
    /// weights as one stream; then it helps with what others have left.
    ///
    /// # Panics
    /// If an output's data is not whole rows, a step is 0, or `f` panics.
    pub fn tiles<F>(&self, outputs: &mut [Grid<'_>], f: F)
    where
        F: Fn(usize, Tile<'_>, usize) + Sync,
    {
        assert!(
            outputs.len() <= MAX_OUTPUTS,
            "{} outputs, at most {MAX_OUTPUTS}",
            outputs.len()
        );
        let mut ends = [usize::MAX; MAX_OUTPUTS];
        let mut bases = [const { Base(std::ptr::null_mut()) }; MAX_OUTPUTS];
        let mut num_tiles = 0;
        for (i, grid) in outputs.iter_mut().enumerate() {
            assert!(
                grid.row_step > 0 && grid.col_step > 0,
                "tile steps are positive"
            );
            assert_eq!(grid.data.len() % grid.row_len, 0, "an output is whole rows");
            num_tiles += grid.num_tiles();
            ends[i] = num_tiles;
            bases[i] = Base(grid.data.as_mut_ptr());
        }
        let grids = &*outputs;
        let num_stretches = self.num_threads().min(MAX_STRETCHES);
        let begin = |stretch: usize| num_tiles * stretch / num_stretches;
        let next: [Line; MAX_STRETCHES] = std::array::from_fn(|stretch| {
            Line(AtomicUsize::new(begin(stretch.min(num_stretches))))
        });
        self.run(&|thread| {
            let mut stretches_done = 0;
            while stretches_done < num_stretches {
                let stretch = (thread + stretches_done) % num_stretches;
                let ticket = next[stretch].0.fetch_add(1, Ordering::Relaxed);
                if ticket >= begin(stretch + 1) {
                    stretches_done += 1;
                    continue;
                }
                let output = ends
                    .iter()
                    .position(|&end| ticket < end)
                    .expect("the ticket is below the last end");
                let first = if output == 0 { 0 } else { ends[output - 1] };
                let (rows, cols) = grids[output].tile(ticket - first);
                // The ticket is ours alone, so no other tile overlaps these rows and columns.
                let tile = Tile {
                    rows,
                    cols,
                    base: bases[output].0,
                    row_len: grids[output].row_len,
                    data: PhantomData,
                };
                f(output, tile, thread);
            }
        });
    }

    /// Runs `f(item, thread)` for every item, on all threads, in no fixed order.
    pub fn each<T: Send>(
        &self,
        items: impl Iterator<Item = T> + Send,
        f: impl Fn(T, usize) + Sync,
    ) {
        let items = Mutex::new(items);
        self.run(&|thread| {
            loop {
                let item = items
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .next();
                let Some(item) = item else { break };
                f(item, thread);
            }
        });
    }

    fn wake(&self) {
        for ((_, thread), parked) in self.workers.iter().zip(&self.shared.parked) {
            if parked.load(Ordering::SeqCst) {
                thread.unpark();
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.generation.fetch_add(1, Ordering::SeqCst);
        for (_, thread) in &self.workers {
            thread.unpark();
        }
        for (handle, _) in self.workers.drain(..) {
            // A worker catches its jobs' panics, so it ends well.
            let _ = handle.join();
        }
    }
}

fn worker(shared: &Shared, index: usize) {
    let mut seen = 0;
    loop {
        let generation = wait(shared, index, seen);
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        seen = generation;
        // SAFETY: the caller stored the job before the generation we saw and keeps the closure alive
        // until `num_running` is 0, which this thread delays until it is done.
        let job = unsafe { &*(*shared.job.get()).expect("a generation has a job") };
        if catch_unwind(AssertUnwindSafe(|| job(index + 1))).is_err() {
            shared.panicked.store(true, Ordering::Relaxed);
        }
        shared.num_running.fetch_sub(1, Ordering::Release);
    }
}

/// Waits for a generation other than `seen`: spins, then parks.
fn wait(shared: &Shared, index: usize, seen: u64) -> u64 {
    loop {
        for _ in 0..SPINS {
            let generation = shared.generation.load(Ordering::Acquire);
            if generation != seen {
                return generation;
            }
            std::hint::spin_loop();
        }
        // The flag goes up before the last look, and the caller looks at flags after its store: one of
        // the two sees the other, so no wake-up is lost.
        shared.parked[index].store(true, Ordering::SeqCst);
        if shared.generation.load(Ordering::SeqCst) == seen {
            thread::park();
        }
        shared.parked[index].store(false, Ordering::SeqCst);
    }
}

/// A matrix `[rows, row_len]` to be filled by tiles.
pub struct Grid<'a> {
    data: &'a mut [f32],
    row_len: usize,
    row_step: usize,
    col_step: usize,
}

impl<'a> Grid<'a> {
    /// `data` as rows of `row_len`, in tiles of `row_step x col_step` (smaller at the edges).
    pub fn new(data: &'a mut [f32], row_len: usize, row_step: usize, col_step: usize) -> Self {
        Self {
            data,
            row_len,
            row_step,
            col_step,
        }
    }

    fn num_tiles(&self) -> usize {
        (self.data.len() / self.row_len).div_ceil(self.row_step)
            * self.row_len.div_ceil(self.col_step)
    }

    /// Columns vary slowest, so tiles that share weights are near in time.
    fn tile(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let num_rows = self.data.len() / self.row_len;
        let down = num_rows.div_ceil(self.row_step);
        let (row, col) = (index % down * self.row_step, index / down * self.col_step);
        (
            row..num_rows.min(row + self.row_step),
            col..self.row_len.min(col + self.col_step),
        )
    }
}

struct Base(*mut f32);
// SAFETY: only tiles write through it, and they do not overlap.
unsafe impl Sync for Base {}

/// Some rows and columns of an output, for one thread to write.
pub struct Tile<'a> {
    /// Rows of the output.
    pub rows: Range<usize>,
    /// Columns of the output.
    pub cols: Range<usize>,
    base: *mut f32,
    row_len: usize,
    data: PhantomData<&'a mut [f32]>,
}

impl Tile<'_> {
    /// The tile's columns of an output row.
    ///
    /// # Panics
    /// If the row is not one of the tile's.
    #[inline]
    pub fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(
            self.rows.contains(&row),
            "row {row} of a tile of rows {:?}",
            self.rows
        );
        // SAFETY: row and columns lie in the output (see `Grid::tile`) and are this tile's alone; the
        // borrow of `self` keeps two rows from being held at once, and the output outlives `'_`.
        unsafe {
            let start = self.base.add(row * self.row_len + self.cols.start);
            std::slice::from_raw_parts_mut(start, self.cols.len())
        }
    }
}
