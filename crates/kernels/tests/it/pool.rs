//! The pool: every piece once, on every thread, and no panic lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use kernels::{Grid, Pool};

#[test]
fn every_thread_runs_every_job() {
    for num_threads in 1..4 {
        let pool = Pool::new(num_threads).expect("threads");
        for _ in 0..200 {
            let count = AtomicUsize::new(0);
            pool.run(&|i| {
                count.fetch_add(1 << (8 * i), Ordering::Relaxed);
            });
            assert_eq!(count.into_inner(), [0, 0x1, 0x101, 0x10101][num_threads]);
        }
    }
}

#[test]
fn tiles_cover_each_output_once() {
    let pool = Pool::new(3).expect("threads");
    for (rows, len, row_step, col_step) in
        [(1, 1, 1, 1), (5, 7, 2, 3), (4, 64, 4, 16), (3, 10, 8, 100)]
    {
        let (mut a, mut b) = (vec![0.0; rows * len], vec![0.0; len]);
        pool.tiles(
            &mut [
                Grid::new(&mut a, len, row_step, col_step),
                Grid::new(&mut b, len, 1, col_step),
            ],
            |_, mut tile, _| {
                for row in tile.rows.clone() {
                    tile.row(row).iter_mut().for_each(|x| *x += 1.0);
                }
            },
        );
        assert!(a.iter().chain(&b).all(|&x| x == 1.0));
    }
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
    let pool = Pool::new(2).expect("threads");
    for guilty in 0..2 {
        let result = catch_unwind(AssertUnwindSafe(|| pool.run(&|i| assert_ne!(i, guilty))));
        assert!(result.is_err());
    }
    let count = AtomicUsize::new(0);
    pool.run(&|_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(count.into_inner(), 2);
}

#[test]
fn parked_workers_wake() {
    let pool = Pool::new(2).expect("threads");
    for _ in 0..5 {
        thread::sleep(std::time::Duration::from_millis(5));
        let count = AtomicUsize::new(0);
        pool.run(&|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 2);
    }
}

#[test]
fn nobody_waits_for_a_worker_that_has_not_begun() {
    // Far more threads than processors: most come late to jobs of nothing, or never.
    let pool = Pool::new(32).expect("threads");
    let mut data = vec![0.0; 64];
    for job in 1..=2000 {
        pool.tiles(&mut [Grid::new(&mut data, 8, 1, 8)], |_, mut tile, _| {
            let row = tile.rows.start;
            tile.row(row).iter_mut().for_each(|x| *x += 1.0);
        });
        let items = AtomicUsize::new(0);
        pool.each(0..3, |item, _| {
            items.fetch_add(1 << (8 * item), Ordering::Relaxed);
        });
        assert_eq!(items.into_inner(), 0x10101);
        assert!(data.iter().all(|&x| x == job as f32), "job {job}");
    }
}

#[test]
fn after_a_late_worker_the_caller_works_alone_for_a_while() {
    let pool = Pool::new(2).expect("threads");
    let late_then_alone = || {
        let begun = AtomicUsize::new(0);
        pool.each(0..2, |_, thread| {
            begun.fetch_add(1, Ordering::Relaxed);
            if thread == 1 {
                thread::sleep(std::time::Duration::from_millis(20));
            }
            // The caller's piece ends when the worker has one too, or has none by then.
            for _ in 0..1000 {
                if thread == 0 && begun.load(Ordering::Relaxed) < 2 {
                    thread::yield_now();
                }
            }
        });
        let helped = AtomicUsize::new(0);
        pool.each(0..100, |_, thread| {
            helped.fetch_add(thread, Ordering::Relaxed);
            thread::sleep(std::time::Duration::from_micros(10));
        });
        helped.into_inner() == 0
    };
    // Either thread may lose its processor at the wrong moment: once is enough.
    assert!((0..50).any(|_| late_then_alone()));
}
