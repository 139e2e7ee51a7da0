//! Several models in one process.

use std::time::Duration;

use ingle::{Error, Keep, Pool};
use testkit::golden;

use crate::files::{TempFile, greedy};

/// Three copies of a model for one test: nobody else may write what it maps.
fn files(test: &str) -> [TempFile; 3] {
    let bytes = golden::bytes("models/stories260K-f32.gguf");
    ["a", "b", "c"].map(|name| TempFile::new(&format!("pool-{test}-{name}.gguf"), &bytes))
}

fn names(pool: &Pool) -> Vec<bool> {
    let entries = pool.entries();
    entries.iter().map(|entry| entry.is_loaded).collect()
}

#[test]
fn the_longest_unused_makes_room_unless_it_is_held() {
    let [a, b, c] = files("room");
    let pool = Pool::builder().configure(|model| model.ctx(64));
    let pool = pool.max_models(2).build().unwrap();
    let held = pool.get(a.name()).unwrap();
    drop(pool.get(b.name()).unwrap());
    drop(pool.get(c.name()).unwrap());
    let left: Vec<String> = pool.entries().into_iter().map(|entry| entry.name).collect();
    assert_eq!(left, [a.name(), c.name()], "b made room");
    let _also_held = pool.get(c.name()).unwrap();
    let error = pool.get(b.name()).err().unwrap();
    assert!(
        matches!(error, Error::PoolFull { max_models: 2 }),
        "{error}"
    );
    drop(held);
    pool.get(b.name()).unwrap();
    assert!(pool.unload(b.name()) && !pool.unload(b.name()));
}

#[test]
fn memory_bounds_all_models_together() {
    let [a, b, _] = files("memory");
    let configure = |model: ingle::ModelBuilder| model.ctx(64).kv_tokens(64).parallel(1);
    let alone = configure(ingle::Model::builder(a.name())).load().unwrap();
    let one = alone.info().memory.total();
    let pool = Pool::builder().configure(configure);
    let pool = pool.memory(one + one / 2).build().unwrap();
    drop(pool.get(a.name()).unwrap());
    let model = pool.get(b.name()).unwrap();
    assert_eq!(pool.entries().len(), 1, "there is room for one");
    assert_eq!(model.info().placement, model::Placement::Mapped);
}

#[test]
fn concurrent_requests_share_one_load() {
    let [a, ..] = files("shared");
    let pool = Pool::builder().configure(|model| model.ctx(64)).build();
    let pool = pool.unwrap();
    let models: Vec<ingle::Model> = std::thread::scope(|scope| {
        let get = || pool.get(a.name()).unwrap();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(get)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let first = std::sync::Arc::as_ptr(models[0].model());
    let same = |model: &ingle::Model| std::sync::Arc::as_ptr(model.model()) == first;
    assert!(models.iter().all(same), "one model, eight handles");
}

#[test]
fn the_idle_are_unloaded_and_a_reply_is_use() {
    let [a, ..] = files("idle");
    let pool = Pool::builder().configure(|model| model.ctx(512));
    let pool = pool.idle(Duration::from_millis(100)).build().unwrap();
    let request = pool
        .get(a.name())
        .unwrap()
        .complete("Once")
        .sampler(greedy());
    let mut stream = request.max_tokens(400).ignore_eos(true).stream().unwrap();
    std::thread::sleep(Duration::from_millis(400));
    pool.sweep();
    assert_eq!(names(&pool), [true], "somebody reads");
    for piece in stream.by_ref() {
        piece.unwrap();
    }
    drop(stream);
    let begun = std::time::Instant::now();
    while !pool.entries().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is unloaded");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_load_that_fails_leaves_nothing() {
    let pool = Pool::builder().build().unwrap();
    assert!(pool.get("./nowhere.gguf").is_err());
    assert!(pool.get("./nowhere.gguf").is_err(), "and blocks nobody");
    assert!(pool.entries().is_empty());
}

#[test]
fn one_model_may_stay_longer_or_shorter_than_others() {
    let [a, b, c] = files("keep");
    let pool = Pool::builder().configure(|model| model.ctx(64));
    let pool = pool.idle(Duration::from_millis(50)).build().unwrap();
    for file in [&a, &b, &c] {
        drop(pool.get(file.name()).unwrap());
    }
    assert!(pool.keep(a.name(), Keep::Forever));
    assert!(pool.keep(b.name(), Keep::For(Duration::from_secs(3600))));
    assert!(!pool.keep("./nowhere.gguf", Keep::Forever), "is not there");
    let begun = std::time::Instant::now();
    while pool.entries().len() > 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "c goes");
        std::thread::sleep(Duration::from_millis(10));
    }
    let left: Vec<_> = pool.entries().into_iter().collect();
    assert_eq!(left[0].name, a.name());
    assert_eq!(left[0].unloads_in, None);
    assert_eq!(left[1].name, b.name());
    assert!(left[1].unloads_in > Some(Duration::from_secs(3500)));
    assert!(pool.keep(b.name(), Keep::For(Duration::ZERO)));
    while pool.entries().len() > 1 {
        assert!(begun.elapsed() < Duration::from_secs(60), "b goes");
        std::thread::sleep(Duration::from_millis(10));
    }
}
