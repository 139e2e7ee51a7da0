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
