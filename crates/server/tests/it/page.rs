//! The page at `/`. Its files and headers are tested beside them (`src/page.rs`), what it does in Chromium
//! (`web/tests`).

use server::Options;

use crate::support::{Answer, Fixture, agent, options};

#[test]
fn the_page_needs_no_key_and_what_it_asks_does() {
    let server = Fixture::start(Options {
        api_keys: vec!["sesame".into()],
        ..options()
    });
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let script = page.text.split('"').find(|part| part.ends_with(".js"));
    let script = script
        .and_then(|path| path.strip_prefix('.'))
        .expect("a script, by a relative path");
    assert_eq!(server.get(script).status, 200);
    assert_eq!(server.get("/favicon.svg").status, 200);
    for path in ["/v1/models", "/assets/none.js", "/nothing"] {
        assert_eq!(server.get(path).status, 401, "{path}");
    }
}

#[test]
fn the_page_lives_below_a_prefix() {
    let server = Fixture::start(Options {
        prefix: "/llm".into(),
        ..options()
    });
    assert_eq!(server.get("/llm/").status, 200);
    assert_eq!(server.get("/llm/favicon.svg").status, 200);
    assert_eq!(server.get("/llm/health").status, 200);
    assert_eq!(server.get("/").status, 404);
    let agent = agent();
    let request = agent
        .get(server.url("/llm"))
        .config()
        .max_redirects(0)
        .build();
    let answer = request.call().expect("an answer");
    assert_eq!(answer.status(), 307);
    assert_eq!(answer.headers()["location"], "/llm/");
}

#[test]
fn the_page_can_be_left_out() {
    let server = Fixture::start(Options {
        ui: false,
        ..options()
    });
    assert_eq!(server.get("/").status, 404);
    assert_eq!(server.get("/favicon.svg").status, 404);
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn another_site_learns_nothing_and_caches_know_why() {
    let server = Fixture::new();
    let ask = |origin: &str| {
        let request = agent().get(server.url("/")).header("origin", origin);
        Answer::read(request.call().expect("an answer"))
    };
    assert_eq!(ask("https://example.org").status, 403);
    let own = ask(&server.url(""));
    assert_eq!(own.status, 200);
    let vary: Vec<_> = own.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["accept-encoding", "Origin"]);
}
