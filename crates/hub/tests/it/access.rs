//! Tokens, refusals, hosts that are not there: who gets to know what, and what the user is told.

use std::time::{Duration, Instant};

use hub::{Config, Error, Hub, Token};

use crate::server::{Fault, Server};
use crate::support::{TempDir, config, content, hub, parse};

fn with_token(cache: &TempDir, server: &Server) -> Hub {
    let token = Token::new("hf_secret");
    Hub::new(Config {
        token,
        ..config(&cache.0, &server.url)
    })
}

fn one_file() -> Server {
    Server::with("org/repo", &[("m-Q4_K_M.gguf", content(1, 100_000))])
}

#[test]
fn the_token_goes_to_the_endpoint_and_nowhere_else() {
    let (server, cdn) = (one_file(), one_file());
    server.state().token = Some("hf_secret".to_owned());
    server.state().cdn = Some(cdn.url.clone());
    cdn.data_faults(&[Fault::CutAfter(40_000)]);
    let cache = TempDir::new();
    with_token(&cache, &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap();

    let bearer = Some("Bearer hf_secret".to_owned());
    assert!(
        server
            .state()
            .seen
            .iter()
            .all(|seen| seen.authorization == bearer)
    );
    let at_cdn = cdn.state().seen.clone();
    assert_eq!(at_cdn.len(), 2, "cut once, resumed once");
    assert!(
        at_cdn.iter().all(|seen| seen.authorization.is_none()),
        "{at_cdn:?}"
    );
    assert_eq!(at_cdn[1].range.as_deref(), Some("bytes=40000-"));
    assert_eq!(
        at_cdn[1].if_range, None,
        "the hub's etag means nothing to a CDN"
    );
}

#[test]
fn the_token_does_not_follow_a_listing_to_another_host() {
    let (server, other) = (one_file(), one_file());
    let stolen = format!("{}/api/models/org/repo/revision/main", other.url);
    server.question_faults(&[Fault::Redirect(stolen)]);
    let cache = TempDir::new();
    with_token(&cache, &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap_err();
    assert!(
        other
            .state()
            .seen
            .iter()
            .all(|seen| seen.authorization.is_none())
    );
}

#[test]
fn a_redirect_on_the_same_host_keeps_the_token() {
    let server = one_file();
    server.state().token = Some("hf_secret".to_owned());
    server.question_faults(&[Fault::Redirect(
        "/api/models/org/repo/revision/main".to_owned(),
    )]);
    let cache = TempDir::new();
    with_token(&cache, &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap();
}

#[test]
fn endless_redirects_end() {
    let server = one_file();
    let again = Fault::Redirect("/api/models/org/repo/revision/main?blobs=true".to_owned());
    server.question_faults(&vec![again; 40]);
    let error = hub(&TempDir::new(), &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
}

#[test]
fn refusals_hint_at_the_token() {
    let server = one_file();
    server.state().token = Some("another".to_owned());
    let cache = TempDir::new();
    let error = hub(&cache, &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Forbidden {
                gated: true,
                token_sent: false,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("HF_TOKEN"), "{error}");
    let error = with_token(&cache, &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Forbidden {
                token_sent: true,
                ..
            }
        ),
        "{error}"
    );
    assert!(!error.to_string().contains("hf_secret"), "{error}");

    server.state().token = None;
    server.data_faults(&[Fault::Status(
        403,
        vec![("X-Error-Message", "no access".into())],
    )]);
    let error = hub(&cache, &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap_err();
    assert!(
        matches!(error, Error::Forbidden { status: 403, .. }),
        "{error}"
    );
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let server = Server::with(
        "org/repo",
        &[
            ("m-Q8_0.gguf", content(1, 10)),
            ("m-Q2_K.gguf", content(2, 10)),
        ],
    );
    let cache = TempDir::new();
    let hub = hub(&cache, &server);
    let error = hub.resolve(&parse("org/nothing"), &mut ()).unwrap_err();
    assert!(
        matches!(&error, Error::NotFound { what, .. } if what == "org/nothing"),
        "{error}"
    );
    let error = hub
        .resolve(&parse("org/repo:Q5_K_M"), &mut ())
        .unwrap_err()
        .to_string();
    for part in ["org/repo", "Q5_K_M", "m-Q8_0.gguf", "m-Q2_K.gguf"] {
        assert!(error.contains(part), "{error}");
    }
    let error = hub.resolve(&parse("org/repo:m.gguf"), &mut ()).unwrap_err();
    assert!(matches!(error, Error::NoSuchFile { .. }), "{error}");
}

#[test]
fn a_repository_without_gguf_files_says_so() {
    let server = Server::with("org/repo", &[("model.safetensors", content(1, 10))]);
    let error = hub(&TempDir::new(), &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap_err();
    assert!(error.to_string().contains("no GGUF files"), "{error}");
}

#[test]
fn a_hub_that_is_not_there_is_noticed_at_once() {
    let cache = TempDir::new();
    let start = Instant::now();
    // Port 1 is closed; `.invalid` never resolves (RFC 2606).
    for endpoint in ["http://127.0.0.1:1", "http://hub.invalid"] {
        let hub = Hub::new(config(&cache.0, endpoint));
        let error = hub.resolve(&parse("org/repo"), &mut ()).unwrap_err();
        assert!(
            matches!(error, Error::Unreachable { .. }),
            "{endpoint}: {error}"
        );
        assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_hub_that_never_answers_is_given_up() {
    let server = one_file();
    server.question_faults(&[Fault::Hang]);
    let cache = TempDir::new();
    let mut config = config(&cache.0, &server.url);
    config.timeouts.response = Duration::from_millis(300);
    let start = Instant::now();
    let error = Hub::new(config)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn offline_asks_nobody() {
    let server = one_file();
    let cache = TempDir::new();
    let offline = || {
        Hub::new(Config {
            offline: true,
            ..config(&cache.0, &server.url)
        })
    };
    let error = offline().resolve(&parse("org/repo"), &mut ()).unwrap_err();
    assert!(matches!(error, Error::NotCached { .. }), "{error}");
    assert!(error.to_string().contains("HF_HUB_OFFLINE"), "{error}");
    assert!(server.state().seen.is_empty());
    hub(&cache, &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap();
    let requests = server.state().seen.len();
    offline().resolve(&parse("org/repo"), &mut ()).unwrap();
    offline().pull(&parse("org/repo"), &mut ()).unwrap();
    assert_eq!(server.state().seen.len(), requests);
}

#[test]
fn cancelling_keeps_what_is_there() {
    struct StopAt(u64, bool);
    impl hub::Progress for StopAt {
        fn update(&mut self, report: &hub::Report<'_>) {
            self.1 = report.done >= self.0;
        }
        fn cancelled(&self) -> bool {
            self.1
        }
    }
    let server = Server::with("org/repo", &[("m-Q4_K_M.gguf", content(1, 2_000_000))]);
    let cache = TempDir::new();
    let hub = hub(&cache, &server);
    let error = hub
        .resolve(&parse("org/repo"), &mut StopAt(600_000, false))
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert!(hub.list().incomplete[0].bytes >= 600_000);
    hub.resolve(&parse("org/repo"), &mut ()).unwrap();
}

#[test]
fn an_expired_cdn_address_is_asked_for_again() {
    let (server, cdn) = (one_file(), one_file());
    server.state().cdn = Some(cdn.url.clone());
    cdn.data_faults(&[Fault::CutAfter(40_000), Fault::Status(403, vec![])]);
    hub(&TempDir::new(), &server)
        .resolve(&parse("org/repo"), &mut ())
        .unwrap();
    assert_eq!(server.seen("GET", "/resolve/").len(), 3);
}

#[test]
fn a_local_namesake_is_pointed_out() {
    // Tests run in the crate's folder, which has `src/remote`.
    let error = hub(&TempDir::new(), &one_file())
        .resolve(&parse("src/remote"), &mut ())
        .unwrap_err();
    assert!(matches!(error, Error::LocalNamesake { .. }), "{error}");
    assert!(error.to_string().contains("`./src/remote`"), "{error}");
}
