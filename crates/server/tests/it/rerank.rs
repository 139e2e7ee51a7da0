//! Documents by how well they answer.

use formats::gguf::Value as Meta;
use serde_json::json;

use crate::support::{Changed, Fixture};

/// The small model with a head of two labels.
fn reranker(name: &str) -> Changed {
    Changed::new(name, |parts| {
        let rows: Vec<f32> = (0..128).map(|i| (i as f32 * 0.7).sin()).collect();
        parts.push_f32("cls.output.weight", &rows);
        parts.tensor("cls.output.weight").shape = vec![2, 64];
        let template = Meta::String("Q: {query} D: {document}".into());
        parts
            .metadata
            .insert("tokenizer.chat_template.rerank", template);
    })
}

#[test]
fn the_best_document_comes_first_in_both_forms() {
    let file = reranker("rerank.gguf");
    let server = Fixture::start(file.options());
    let documents = [
        "Lily had a cat.",
        "The sun is warm.",
        "",
        "Once upon a time",
    ];
    let mut body = json!({ "query": "a pet", "documents": documents, "return_documents": true });
    let answer = server.post("/v1/rerank", &body).ok();
    assert_eq!(answer["object"], "list");
    assert!(
        answer["usage"]["prompt_tokens"]
            .as_u64()
            .is_some_and(|tokens| tokens > 40)
    );
    let results = answer["results"].as_array().expect("a list");
    assert_eq!(results.len(), 4);
    let scores: Vec<f64> = results
        .iter()
        .map(|result| result["relevance_score"].as_f64().expect("a number"))
        .collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    assert_ne!(scores[0], scores[3]);
    let first = results[0]["index"].as_u64().expect("a number") as usize;
    assert_eq!(results[0]["document"]["text"], documents[first]);
    body["top_n"] = json!(1);
    let best = server.post("/rerank", &body).ok();
    assert_eq!(best["results"], json!([results[0]]));
    let tei = server
        .post(
            "/reranking",
            &json!({ "query": "a pet", "texts": documents }),
        )
        .ok();
    assert_eq!(tei[0], json!({ "index": first, "score": scores[0] }));
}

#[test]
fn what_cannot_be_scored_is_told() {
    let plain = Fixture::new();
    let ask = |body| plain.post("/v1/rerank", &body);
    assert_eq!(ask(json!({ "query": "a", "documents": ["b"] })).status, 501);
    let wrong = [
        (json!({ "query": "a" }), "documents"),
        (json!({ "query": "a", "documents": [] }), "documents"),
        (json!({ "query": "a", "documents": [1] }), "documents[0]"),
        (
            json!({ "query": "a", "texts": ["b"], "raw_scores": true }),
            "raw_scores",
        ),
    ];
    for (body, param) in wrong {
        let answer = ask(body);
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert_eq!(answer.json()["error"]["param"], param, "{}", answer.text);
    }
    let file = reranker("rerank-long.gguf");
    let server = Fixture::start(file.options());
    let long = server.post(
        "/rerank",
        &json!({ "query": "a", "documents": ["b", "word ".repeat(600)] }),
    );
    assert_eq!(long.json()["error"]["type"], "exceed_context_size_error");
}
