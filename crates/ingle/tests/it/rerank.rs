//! Scores of documents, with a head and without.

use formats::gguf::Value;
use ingle::{Error, Model, Pooling, SamplerParams};
use testkit::{Random, golden};

use crate::files::{TempFile, stories, stories_parts};

const TEMPLATE: &str = "{% for message in messages %}{{ message.content }}\n{% endfor %}";
const DOCUMENTS: [&str; 3] = ["Lily had a {query} cat.", "The sun is {document} warm.", ""];

/// The stories' model with a head of so many labels over its hidden states, and what that head is.
fn with_head(name: &str, n_labels: usize, bias: bool) -> (TempFile, Vec<f32>, Vec<f32>) {
    let mut parts = stories_parts();
    let mut random = Random::new(5);
    let rows = random.normals(n_labels * 64, 0.5);
    parts.push_f32("cls.output.weight", &rows);
    parts.tensor("cls.output.weight").shape = vec![n_labels, 64];
    let biases = random.normals(n_labels, 1.0);
    if bias {
        parts.push_f32("cls.output.bias", &biases);
    }
    let key = "tokenizer.chat_template.rerank";
    parts
        .metadata
        .insert(key, Value::String("Q: {query} D: {document}".into()));
    (TempFile::new(name, &parts.write()), rows, biases)
}

#[test]
fn a_head_scores_texts() {
    for (n_labels, bias) in [(1, true), (2, false), (3, true)] {
        let name = format!("rank-{n_labels}.gguf");
        let (file, rows, biases) = with_head(&name, n_labels, bias);
        let model = Model::builder(file.name()).threads(2).load().unwrap();
        assert!(model.chat_template().is_none(), "it is for rerankers only");
        let scores = model.rerank("a {document} pet", DOCUMENTS).run().unwrap();
        // What two names in curly brackets stand for is not looked through again.
        let texts = DOCUMENTS.map(|document| format!("Q: a {{document}} pet D: {document}"));
        let hidden = model.embed(texts).normalize(false).pooling(Pooling::Last);
        for (hidden, score) in hidden.run().unwrap().iter().zip(&scores) {
            let logit = |label: usize| {
                let row = &rows[label * 64..][..64];
                let sum: f64 = row
                    .iter()
                    .zip(hidden)
                    .map(|(&w, &x)| f64::from(w) * f64::from(x))
                    .sum();
                sum + if bias { f64::from(biases[label]) } else { 0.0 }
            };
            let weights: Vec<f64> = (0..n_labels).map(|label| logit(label).exp()).collect();
            let others = if n_labels == 1 {
                1.0
            } else {
                weights[1..].iter().sum()
            };
            let expected = (weights[0] / (weights[0] + others)) as f32;
            assert!((score - expected).abs() < 1e-6, "{score} {expected}");
        }
        let again = pollster::block_on(model.rerank("a {document} pet", DOCUMENTS).run_async());
        assert_eq!(again.unwrap(), scores);
    }
}

#[test]
fn models_that_cannot_score_say_so() {
    let ask = |model: &Model| model.rerank("a pet", DOCUMENTS).run();
    let plain = stories().load().unwrap();
    assert!(matches!(ask(&plain), Err(Error::NoChatTemplate { .. })));
    let chat = stories().chat_template(TEMPLATE).ctx(512).load().unwrap();
    assert!(matches!(
        ask(&chat),
        Err(Error::NoAnswerToken { answer: "yes" })
    ));
    let (file, ..) = with_head("rank-long.gguf", 2, false);
    let model = Model::builder(file.name())
        .ctx(16)
        .threads(2)
        .load()
        .unwrap();
    let error = model.rerank("a pet", ["a long tale ".repeat(20)]).run();
    assert!(matches!(error, Err(Error::Request(_))), "{error:?}");
}

#[test]
fn others_are_asked_for_yes_or_no() {
    let Some(path) = golden::real_model("SmolLM2-135M-Instruct.Q4_1.gguf") else {
        return;
    };
    let model = Model::builder(path.to_str().unwrap()).ctx(512).parallel(2);
    let model = model.threads(2).load().unwrap();
    let scores = model
        .rerank("pets", DOCUMENTS)
        .instruction("Find pets")
        .run()
        .unwrap();
    let answers = ["yes", "no"].map(|answer| model.tokenizer().encode(answer, false, false)[0]);
    for (document, score) in DOCUMENTS.iter().zip(scores) {
        // The same by its chat template, from the log-probabilities of all tokens in turn.
        let logprobs = answers.map(|answer| {
            let user = format!("<Instruct>: Find pets\n<Query>: pets\n<Document>: {document}");
            let system = "Judge whether the Document meets the requirements based on the Query and the Instruct \
                          provided. Note that the answer can only be \"yes\" or \"no\".";
            let sampler = SamplerParams {
                logit_bias: vec![(answer, 1e9)],
                logprobs: Some(0),
                ..SamplerParams::greedy()
            };
            let request = model.chat(user).system(system).sampler(sampler).max_tokens(1);
            let reply = request.run().unwrap();
            assert_eq!(reply.tokens[0].id, answer);
            f64::from(reply.tokens[0].logprob.unwrap())
        });
        let expected = 1.0 / (1.0 + (logprobs[1] - logprobs[0]).exp());
        assert!(
            (f64::from(score) - expected).abs() < 1e-6,
            "{score} {expected}"
        );
        assert!(score > 0.0 && score < 1.0);
    }
}
