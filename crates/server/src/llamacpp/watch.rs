//! `/models/sse`: which models are loaded and let go, as it happens, as llama.cpp's router tells it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_stream::stream;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use crate::registry;
use crate::sse;
use crate::state::App;

/// Between two looks at what is loaded.
const PAUSE: Duration = Duration::from_millis(100);

/// `GET /models/sse`: an event for each model whose state changes from now on, until the client goes or the server ends.
pub(crate) async fn watch(State(app): State<Arc<App>>) -> Response {
    let ping = app.options.ping;
    let mut before = app.registry.states();
    let events = stream! {
        while app.accepts().is_ok() {
            tokio::time::sleep(PAUSE).await;
            let now = app.registry.states();
            for event in changes(&before, &now) {
                yield sse::data(&event);
            }
            before = now;
        }
    };
    sse::response(events, ping, sse::PING)
}

type States = BTreeMap<String, registry::State>;

fn changes(before: &States, now: &States) -> Vec<Value> {
    let event = |model: &String, state: registry::State| {
        json!({
            "model": model,
            "event": "model_status",
            "data": { "status": state.name() },
        })
    };
    let gone = before.keys().filter(|model| !now.contains_key(*model));
    let gone = gone.map(|model| event(model, registry::State::Unloaded));
    let changed = now
        .iter()
        .filter(|(model, state)| before.get(*model) != Some(state));
    gone.chain(changed.map(|(model, &state)| event(model, state)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry::State;

    #[test]
    fn changes_are_told_and_nothing_else() {
        let states = |states: &[(&str, State)]| -> States {
            let pairs = states.iter();
            pairs
                .map(|&(name, state)| (name.to_owned(), state))
                .collect()
        };
        let before = states(&[("a", State::Loaded), ("b", State::Loading)]);
        let now = states(&[("b", State::Loaded), ("c", State::Loading)]);
        assert!(changes(&now, &now).is_empty());
        let told: Vec<_> = changes(&before, &now)
            .iter()
            .map(|event| format!("{} {}", event["model"], event["data"]["status"]))
            .collect();
        let expected = [r#""a" "unloaded""#, r#""b" "loaded""#, r#""c" "loading""#];
        assert_eq!(told, expected);
    }
}
