//! Texts as vectors, in both dialects.

use serde_json::{Value, json};

use crate::support::Fixture;

fn vector(value: &Value) -> Vec<f64> {
    let list = value.as_array().expect("a list");
    list.iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn length(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[test]
fn both_dialects_have_the_same_vectors() {
    let server = Fixture::new();
    let body = json!({ "input": ["a fox", "a bicycle"], "model": "any" });
    let answer = server.post("/v1/embeddings", &body).ok();
    assert_eq!(answer["object"], "list");
    let data = answer["data"].as_array().expect("a list");
    assert_eq!(data.len(), 2);
    let fox = vector(&data[0]["embedding"]);
    assert_eq!(fox.len(), 64);
    assert!((length(&fox) - 1.0).abs() < 1e-5);
    assert_ne!(fox, vector(&data[1]["embedding"]));
    assert_eq!(
        answer["usage"]["prompt_tokens"],
        answer["usage"]["total_tokens"]
    );
    let native = server
        .post("/embedding", &json!({ "content": "a fox" }))
        .ok();
    assert_eq!(vector(&native[0]["embedding"][0]), fox);
    let tokens = server.post(
        "/tokenize",
        &json!({ "content": "a fox", "add_special": true }),
    );
    let tokens = tokens.ok()["tokens"].clone();
    let of_tokens = server
        .post("/v1/embeddings", &json!({ "input": tokens }))
        .ok();
    assert_eq!(vector(&of_tokens["data"][0]["embedding"]), fox);
    let raw = json!({ "content": "a fox", "embd_normalize": -1 });
    let raw = vector(&server.post("/embeddings", &raw).ok()[0]["embedding"][0]);
    assert!((length(&raw) - 1.0).abs() > 1e-3, "as the model has it");
    assert!((raw[3] / length(&raw) - fox[3]).abs() < 1e-5);
}

#[test]
fn vectors_come_shorter_and_packed() {
    let server = Fixture::new();
    let ask = |fields: Value| {
        let mut body = json!({ "input": "a fox" });
        for (name, value) in fields.as_object().expect("an object") {
            body[name] = value.clone();
        }
        server.post("/v1/embeddings", &body)
    };
    let whole = vector(&ask(json!({})).ok()["data"][0]["embedding"]);
    let short = vector(&ask(json!({ "dimensions": 8 })).ok()["data"][0]["embedding"]);
    assert_eq!(short.len(), 8);
    assert!((length(&short) - 1.0).abs() < 1e-5);
    assert!(
        (short[1] / short[0] - whole[1] / whole[0]).abs() < 1e-4,
        "the same direction"
    );
    let packed = ask(json!({ "encoding_format": "base64" })).ok();
    let packed = packed["data"][0]["embedding"]
        .as_str()
        .expect("text")
        .to_owned();
    assert_eq!(packed.len(), (64 * 4_usize).div_ceil(3) * 4);
    let wrong = [
        (json!({ "dimensions": 65 }), "dimensions"),
        (json!({ "dimensions": 0 }), "dimensions"),
        (json!({ "encoding_format": "hex" }), "encoding_format"),
        (json!({ "input": [] }), "input"),
        (json!({ "input": [[]] }), "input"),
        (json!({ "input": vec!["a"; 2049] }), "input"),
        (json!({ "input": { "text": "a" } }), "input.multimodal_data"),
    ];
    for (fields, param) in wrong {
        let answer = ask(fields);
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert_eq!(answer.json()["error"]["param"], param, "{}", answer.text);
    }
    let long = server.post(
        "/v1/embeddings",
        &json!({ "input": ["a", "word ".repeat(600)] }),
    );
    assert_eq!(long.status, 400, "{}", long.text);
    assert_eq!(long.json()["error"]["code"], "context_length_exceeded");
}
