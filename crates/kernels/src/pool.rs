//! A small thread pool: persistent workers that claim pieces of one job at a time.
//!
//! The caller works too. Pieces are claimed from an atomic counter, because processors get taken away at
//! any moment and a static split would wait for the one that was. For the same reason a job is closed when
//! the caller finds no more pieces: a worker that has not begun by then stays out, and nobody waits for it.
//! Only a worker that lost its processor with a piece in hand is waited for, and if that happens often the
//! caller works alone for a while ([`Pace`]). Who waits spins for some tens of microseconds, as the next
//! operation of a layer follows at once, and then parks, which leaves its processor to the one that is
//! late.
//!
//! Soundness: two promises hold this file up. A job's closure is borrowed only until [`Pool::share`]
//! returns, and that returns only when the job is closed and every worker inside has left it, also when a
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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::Instant;

use crate::pace::Pace;

/// Turns of a waiting thread before it parks: about 50 µs with x86's `pause`.
const SPINS: usize = 1_000;

/// Fields of [`Shared::state`]: how many workers are inside of the job, how many have been, whether it is
/// closed; above them its number.
const INSIDE: u64 = 0xfff;
const BEGUN: u64 = INSIDE * ONE_BEGUN;
const ONE_BEGUN: u64 = 1 << 12;
const CLOSED: u64 = 1 << 24;
const NUMBER: u64 = !(INSIDE | BEGUN | CLOSED);
/// A worker that comes in.
const ENTER: u64 = 1 + ONE_BEGUN;

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
    /// The number goes up by one for every job, and once more to stop.
    state: AtomicU64,
    job: UnsafeCell<Option<Job>>,
    panicked: AtomicBool,
    stop: AtomicBool,
    parked: Vec<AtomicBool>,
    /// The caller, if it has parked until all workers have left.
    waiting: Mutex<Option<Thread>>,
    is_waiting: AtomicBool,
}

// SAFETY: `job` is written only by the thread that holds `Pool::caller`, while the last job is closed and
// nobody is inside, and read by workers only inside. The pointer itself is to a `Sync` closure.
unsafe impl Sync for Shared {}
// SAFETY: as above; nothing in it belongs to a thread.
unsafe impl Send for Shared {}

/// A pool of `num_threads` threads, the caller of [`Pool::run`] being one of them.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<(JoinHandle<()>, Thread)>,
    caller: Mutex<Pace>,
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
            state: AtomicU64::new(CLOSED),
            job: UnsafeCell::new(None),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            parked: (0..num_workers).map(|_| AtomicBool::new(false)).collect(),
            waiting: Mutex::new(None),
            is_waiting: AtomicBool::new(false),
        });
        let mut pool = Self {
            shared,
            workers: Vec::new(),
            caller: Mutex::default(),
        };
        // As many as the fields of a state have room for.
        for index in 0..num_workers.min(INSIDE as usize) {
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
        let num_begun = AtomicUsize::new(0);
        let count = |thread| {
            num_begun.fetch_add(1, Ordering::Relaxed);
            job(thread);
            // The job stays open as long as the caller is in it.
            while thread == 0 && num_begun.load(Ordering::Relaxed) < self.num_threads() {
                thread::yield_now();
            }
        };
        let mut pace = lock(&self.caller);
        self.share_with_workers(&count, &mut pace);
    }

    /// Runs `job(0)` here and `job(i)` on those workers that come before it returns, and waits for these.
    /// So any part of the job must be able to do all of it.
    fn share(&self, job: &(dyn Fn(usize) + Sync)) {
        let mut pace = lock(&self.caller);
        if self.workers.is_empty() || pace.is_alone() {
            return job(0);
        }
        self.share_with_workers(job, &mut pace);
    }

    fn share_with_workers(&self, job: &(dyn Fn(usize) + Sync), pace: &mut Pace) {
        if self.workers.is_empty() {
            return job(0);
        }
        let shared = &*self.shared;
        // SAFETY: the lifetime is erased only until the wait below has seen every worker leave.
        let erased = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        // SAFETY: we hold `caller`, the last job is closed and nobody is inside, so no worker reads the cell.
        unsafe { *shared.job.get() = Some(erased) };
        let start = Instant::now();
        // The next number, open, nobody inside.
        let next = (shared.state.load(Ordering::Relaxed) | !NUMBER) + 1;
        shared.state.store(next, Ordering::SeqCst);
        self.wake();
        let mine = catch_unwind(AssertUnwindSafe(|| job(0)));
        let state = shared.state.fetch_or(CLOSED, Ordering::SeqCst);
        let num_begun = (state & BEGUN) / ONE_BEGUN;
        pace.began(num_begun == self.workers.len() as u64, start);
        if !(0..SPINS).any(|_| shared.is_left()) {
            let done = Instant::now();
            shared.park_until_left();
            let now = Instant::now();
            pace.waited(done - start, now - done, now);
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
            assert!(grid.col_step > 0, "tile steps are positive");
            assert_eq!(grid.data.len() % grid.row_len, 0, "an output is whole rows");
            num_tiles += grid.num_tiles();
            ends[i] = num_tiles;
            bases[i] = Base(grid.data.as_mut_ptr());
        }
        let grids = &*outputs;
        let num_stretches = self.num_threads().min(MAX_STRETCHES);
        let begin = |stretch: usize| num_tiles * stretch / num_stretches;
        let mut next = [const { Line(AtomicUsize::new(0)) }; MAX_STRETCHES];
        for stretch in 1..num_stretches {
            next[stretch] = Line(AtomicUsize::new(begin(stretch)));
        }
        self.share(&|thread| {
            let mut stretches_done = 0;
            while stretches_done < num_stretches {
                let stretch = (thread + stretches_done) % num_stretches;
                let tickets = claim(&next[stretch].0, begin(stretch + 1));
                if tickets.is_empty() {
                    stretches_done += 1;
                }
                for ticket in tickets {
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
            }
        });
    }

    /// Cuts two outputs into tiles, as many of one as of the other, and runs `f([tile, tile], thread)` for the two of
    /// each number; on this thread only if `alone`.
    ///
    /// # Panics
    /// If an output's data is not whole rows, a step is 0, they are cut into different numbers, or `f` panics.
    pub fn pairs<F>(&self, mut outputs: [Grid<'_>; 2], alone: bool, f: F)
    where
        F: Fn([Tile<'_>; 2], usize) + Sync,
    {
        for grid in &outputs {
            assert!(grid.col_step > 0, "tile steps are positive");
            assert_eq!(grid.data.len() % grid.row_len, 0, "an output is whole rows");
        }
        let num_tiles = outputs[0].num_tiles();
        assert_eq!(num_tiles, outputs[1].num_tiles(), "tiles are pairs");
        let bases = outputs.each_mut().map(|grid| Base(grid.data.as_mut_ptr()));
        let (grids, bases) = (&outputs, &bases);
        // A number is drawn once, so no two pairs overlap.
        let pair = |ticket: usize| {
            [0, 1].map(|i| {
                let (rows, cols) = grids[i].tile(ticket);
                Tile {
                    rows,
                    cols,
                    base: bases[i].0,
                    row_len: grids[i].row_len,
                    data: PhantomData,
                }
            })
        };
        let next = AtomicUsize::new(0);
        let work = |thread| {
            loop {
                let ticket = next.fetch_add(1, Ordering::Relaxed);
                if ticket >= num_tiles {
                    break;
                }
                f(pair(ticket), thread);
            }
        };
        if alone { work(0) } else { self.share(&work) }
    }

    /// Runs `f(item, thread)` for every item, on all threads, in no fixed order.
    pub fn each<T: Send>(
        &self,
        items: impl Iterator<Item = T> + Send,
        f: impl Fn(T, usize) + Sync,
    ) {
        let is_single = items.size_hint().1 == Some(1);
        let items = Mutex::new(items);
        let all_of_them = |thread| {
            loop {
                let item = lock(&items).next();
                let Some(item) = item else { break };
                f(item, thread);
            }
        };
        match is_single {
            true => all_of_them(0),
            false => self.share(&all_of_them),
        }
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
        // The next number, and closed.
        let next = (self.shared.state.load(Ordering::Relaxed) | !NUMBER) + 1;
        self.shared.state.store(next | CLOSED, Ordering::SeqCst);
        for (_, thread) in &self.workers {
            thread.unpark();
        }
        for (handle, _) in self.workers.drain(..) {
            // A worker catches its jobs' panics, so it ends well.
            let _ = handle.join();
        }
    }
}

impl Shared {
    /// Joins the job that was found as `state`, if it is still open.
    fn enter(&self, mut state: u64) -> bool {
        let number = state & NUMBER;
        // Acquire: the job was stored before its number.
        while state & (NUMBER | CLOSED) == number {
            let (yes, no) = (Ordering::Acquire, Ordering::Relaxed);
            match self
                .state
                .compare_exchange_weak(state, state + ENTER, yes, no)
            {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// Leaves the job; what was written in it is seen by the caller.
    fn leave(&self) {
        let before = self.state.fetch_sub(1, Ordering::SeqCst);
        // The caller's flag goes up before its last look at the state, and this comes after the change of
        // state: one of the two sees the other.
        if before & (INSIDE | CLOSED) == CLOSED + 1
            && self.is_waiting.load(Ordering::SeqCst)
            && let Some(caller) = lock(&self.waiting).take()
        {
            caller.unpark();
        }
    }

    /// Whether nobody is inside; if not, takes a moment.
    fn is_left(&self) -> bool {
        let is_left = self.state.load(Ordering::SeqCst) & INSIDE == 0;
        if !is_left {
            std::hint::spin_loop();
        }
        is_left
    }

    /// Sleeps until nobody is inside.
    fn park_until_left(&self) {
        *lock(&self.waiting) = Some(thread::current());
        self.is_waiting.store(true, Ordering::SeqCst);
        while !self.is_left() {
            thread::park();
        }
        self.is_waiting.store(false, Ordering::SeqCst);
    }
}

/// Claims tickets from `next` on, a quarter of those below `end`: every claim waits for all stores under way, so there
/// are to be few, and the last are small, so that threads end together.
fn claim(next: &AtomicUsize, end: usize) -> Range<usize> {
    let mut first = next.load(Ordering::Relaxed);
    while first < end {
        let behind = first + (end - first).div_ceil(4);
        let (yes, no) = (Ordering::Relaxed, Ordering::Relaxed);
        match next.compare_exchange_weak(first, behind, yes, no) {
            Ok(_) => return first..behind,
            Err(now) => first = now,
        }
    }
    end..end
}

fn worker(shared: &Shared, index: usize) {
    let mut seen = 0;
    loop {
        let state = wait(shared, index, seen);
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        seen = state & NUMBER;
        if !shared.enter(state) {
            continue;
        }
        // SAFETY: the caller stored the job before its number and keeps the closure alive until nobody is
        // inside, and this thread is until it is done.
        let job = unsafe { &*(*shared.job.get()).expect("an open job is there") };
        if catch_unwind(AssertUnwindSafe(|| job(index + 1))).is_err() {
            shared.panicked.store(true, Ordering::Relaxed);
        }
        shared.leave();
    }
}

/// Waits for a job other than number `seen`: spins, then parks. The state it was found in.
fn wait(shared: &Shared, index: usize, seen: u64) -> u64 {
    loop {
        for _ in 0..SPINS {
            let state = shared.state.load(Ordering::Acquire);
            if state & NUMBER != seen {
                return state;
            }
            std::hint::spin_loop();
        }
        // The flag goes up before the last look, and the caller looks at flags after its store: one of
        // the two sees the other, so no wake-up is lost.
        shared.parked[index].store(true, Ordering::SeqCst);
        if shared.state.load(Ordering::SeqCst) & NUMBER == seen {
            thread::park();
        }
        shared.parked[index].store(false, Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What they guard is whole at any time: a panic in a job leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A matrix `[rows, row_len]` to be filled by tiles.
pub struct Grid<'a> {
    data: &'a mut [f32],
    row_len: usize,
    cuts: Cuts<'a>,
    col_step: usize,
}

/// Where rows are cut.
#[derive(Clone, Copy)]
enum Cuts<'a> {
    /// After every so many.
    Every(usize),
    /// At these ends of parts, ascending.
    At(&'a [usize]),
}

impl<'a> Grid<'a> {
    /// `data` as rows of `row_len`, in tiles of `row_step x col_step` (smaller at the edges).
    pub fn new(data: &'a mut [f32], row_len: usize, row_step: usize, col_step: usize) -> Self {
        assert!(row_step > 0, "tile steps are positive");
        Self {
            data,
            row_len,
            cuts: Cuts::Every(row_step),
            col_step,
        }
    }

    /// The same with tiles as high as parts of the rows: part `p` ends before row `ends[p]`, and none is empty.
    ///
    /// # Panics
    /// If the ends do not ascend to the number of rows.
    pub fn parts(data: &'a mut [f32], row_len: usize, ends: &'a [usize], col_step: usize) -> Self {
        assert!(
            ends.first() != Some(&0) && ends.windows(2).all(|pair| pair[0] < pair[1]),
            "ends of parts ascend"
        );
        assert_eq!(
            ends.last().map_or(0, |end| end * row_len),
            data.len(),
            "the last part ends with the rows"
        );
        Self {
            data,
            row_len,
            cuts: Cuts::At(ends),
            col_step,
        }
    }

    fn num_rows(&self) -> usize {
        self.data.len() / self.row_len
    }

    fn num_tiles(&self) -> usize {
        let down = match self.cuts {
            Cuts::Every(step) => self.num_rows().div_ceil(step),
            Cuts::At(ends) => ends.len(),
        };
        down * self.row_len.div_ceil(self.col_step)
    }

    /// Tiles that share weights are near in time: columns vary slowest, or parts if each has its own weights.
    fn tile(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let (rows, col) = match self.cuts {
            Cuts::Every(step) => {
                let down = self.num_rows().div_ceil(step);
                let row = index % down * step;
                (row..self.num_rows().min(row + step), index / down)
            }
            Cuts::At(ends) => {
                let across = self.row_len.div_ceil(self.col_step);
                let part = index / across;
                let start = part.checked_sub(1).map_or(0, |before| ends[before]);
                (start..ends[part], index % across)
            }
        };
        let col = col * self.col_step;
        (rows, col..self.row_len.min(col + self.col_step))
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
