//! llama.cpp's dialect.

mod answers;
mod completion;
mod embeddings;
mod infill;
mod models;
mod props;
mod settings;
mod slots;
pub(crate) mod template;
mod tokens;
mod watch;

use crate::fields::{FormatFields, LimitFields, SamplingFields};
use crate::openai::chat::chat_about;
use crate::rerank::{RerankFields, rerank};
use crate::routes::{About, Fields, Routes, about};

/// Its paths.
pub(crate) fn routes() -> Routes {
    let embeddings = about("Texts as vectors").body::<embeddings::EmbeddingFields>();
    let rerank_about = about("Documents by how well they answer a query").body::<RerankFields>();
    let reranks = ["/rerank", "/reranking", "/v1/rerank", "/v1/reranking"];
    let counts = [
        "/chat/completions/input_tokens",
        "/v1/chat/completions/input_tokens",
    ];
    let which = about("Unloads a model").body::<models::WhichFields>();
    Routes::default()
        .post(
            &["/completion", "/completions"],
            completion::complete,
            completing("Goes on from a text"),
        )
        .post(
            &["/infill"],
            infill::complete,
            completing("What stands between two texts").body::<infill::InfillFields>(),
        )
        .post(
            &["/embedding", "/embeddings"],
            embeddings::embeddings,
            embeddings,
        )
        .post(&reranks, rerank, rerank_about)
        .post(
            &["/tokenize"],
            tokens::tokenize,
            about("Text in tokens")
                .body::<tokens::TokenizeFields>()
                .gives(&[("tokens", "array")]),
        )
        .post(
            &["/detokenize"],
            tokens::detokenize,
            about("Tokens as text")
                .body::<tokens::DetokenizeFields>()
                .gives(&[("content", "string")]),
        )
        .post(
            &["/apply-template"],
            template::apply,
            chat_about("A chat as the model sees it").gives(&[("prompt", "string")]),
        )
        .post(
            &counts,
            template::count,
            chat_about("How many tokens a chat is").gives(&[("input_tokens", "integer")]),
        )
        .get(
            &["/props"],
            props::show,
            about("A model, and what requests to it start from")
                .query::<props::Which>()
                .gives(PROPS),
        )
        .post(&["/props"], props::change, about("Changes nothing yet"))
        .get(
            &["/slots"],
            slots::show,
            about("What is computed side by side").query::<slots::SlotsParams>(),
        )
        .post(
            &["/slots/{id}"],
            slots::act,
            about("Keeps the prompt of a slot in a file, or puts it back")
                .query::<slots::SlotParams>()
                .body::<slots::SlotFields>(),
        )
        .get(
            &["/lora-adapters"],
            props::adapters,
            about("There are none"),
        )
        .post(
            &["/lora-adapters"],
            props::set_adapters,
            about("Takes none").body::<Vec<props::Adapter>>(),
        )
        .post(
            &["/models/load"],
            models::load,
            About {
                summary: "Loads a model",
                ..which.clone()
            },
        )
        .post(&["/models/unload"], models::unload, which)
        .get(
            &["/models/sse"],
            watch::watch,
            about("Which models are loaded and let go, as it happens").answers("text/event-stream"),
        )
}

const PROPS: Fields = &[
    ("default_generation_settings", "object"),
    ("total_slots", "integer"),
    ("model_path", "string"),
    ("chat_template", "string"),
    ("build_info", "string"),
];

fn completing(summary: &'static str) -> About {
    about(summary)
        .body::<completion::CompletionFields>()
        .body::<SamplingFields>()
        .body::<LimitFields>()
        .body::<FormatFields>()
        .streams("text/event-stream")
}
