//! GGUF files from any web server.

use hub::{Error, Hub};

use crate::server::{Fault, Server};
use crate::support::{TempDir, config, content, hub, parse};

#[test]
fn downloads_resumes_lists_and_removes() {
    let bytes = content(1, 200_000);
    let server = Server::with("plain", &[("m-Q4_0.gguf", bytes.clone())]);
    let cache = TempDir::new();
    let hub = hub(&cache, &server);
    let model = parse(&format!("{}/plain/m-Q4_0.gguf", server.url));
    server.data_faults(&[Fault::CutAfter(50_000)]);
    server.data_faults(&vec![Fault::CutAfter(0); 3]);
    hub.resolve(&model, &mut ()).unwrap_err();
    assert_eq!(hub.list().incomplete[0].bytes, 50_000);

    let found = hub.resolve(&model, &mut ()).unwrap();
    assert!(std::fs::read(&found.files[0]).unwrap() == bytes);
    let last = server.seen("GET", "/plain/").pop().unwrap();
    assert_eq!(last.range.as_deref(), Some("bytes=50000-"));
    assert!(last.if_range.is_some());

    let requests = server.state().seen.len();
    assert_eq!(hub.resolve(&model, &mut ()).unwrap(), found);
    assert_eq!(server.state().seen.len(), requests);
    hub.pull(&model, &mut ()).unwrap();
    assert_eq!(
        server.seen("GET", "/plain/").len(),
        5,
        "pull found it unchanged"
    );

    let listed = hub.list().models;
    assert_eq!(
        (listed[0].name.as_str(), listed[0].quant.as_deref()),
        (found.name.as_str(), Some("Q4_0"))
    );
    assert!(hub.remove(&model).unwrap() >= 200_000);
    assert!(hub.list().models.is_empty());
}

#[test]
fn a_file_that_changed_between_attempts_is_not_mixed() {
    let server = Server::with("plain", &[("m.gguf", content(1, 100_000))]);
    let cache = TempDir::new();
    let hub = hub(&cache, &server);
    let model = parse(&format!("{}/plain/m.gguf", server.url));
    server.data_faults(&vec![Fault::CutAfter(10_000); 1]);
    server.data_faults(&vec![Fault::CutAfter(0); 3]);
    hub.resolve(&model, &mut ()).unwrap_err();
    let newer = content(2, 100_000);
    server.state().files[0].2 = newer.clone();
    let found = hub.resolve(&model, &mut ()).unwrap();
    assert!(std::fs::read(&found.files[0]).unwrap() == newer);
}

#[test]
fn split_files_follow() {
    let files: Vec<_> = (1..=2)
        .map(|n| {
            (
                format!("m-0000{n}-of-00002.gguf"),
                content(n, 1000 + n as usize),
            )
        })
        .collect();
    let borrowed: Vec<_> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    let server = Server::with("plain", &borrowed);
    let model = parse(&format!("{}/plain/m-00001-of-00002.gguf", server.url));
    let found = hub(&TempDir::new(), &server)
        .resolve(&model, &mut ())
        .unwrap();
    assert_eq!((found.files.len(), found.total_bytes), (2, 2003));
}

#[test]
fn plain_http_to_a_stranger_is_refused() {
    let cache = TempDir::new();
    let model = parse("http://models.invalid/m.gguf");
    let hub = Hub::new(config(&cache.0, "https://huggingface.co"));
    let error = hub.resolve(&model, &mut ()).unwrap_err();
    assert!(matches!(error, Error::Insecure { .. }), "{error}");
    // The configured endpoint may be plain: then it is only unreachable here.
    let hub = Hub::new(config(&cache.0, "http://models.invalid"));
    let error = hub.resolve(&model, &mut ()).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[test]
fn what_the_server_has_not_is_said() {
    let server = Server::start();
    let model = parse(&format!("{}/plain/m.gguf?sig=secret", server.url));
    let error = hub(&TempDir::new(), &server)
        .resolve(&model, &mut ())
        .unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}
