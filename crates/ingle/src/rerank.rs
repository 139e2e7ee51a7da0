//! Documents in the order in which they answer a query.
//!
//! A score is a probability. A model with a head for it (`cls.output` in a GGUF, as rerankers have that llama.cpp
//! converted) reads query and document through the template that its file names `rerank`: of two labels, the score is
//! the softmax of the first; of one, the logistic function of it. Any other chat model is asked whether the document
//! meets the query, in the words of Qwen3-Reranker (arXiv:2506.05176, whose models were trained on them), and the score
//! is that of `yes` against `no` as the next token.

use async_channel::Receiver;
use engine::{EmbedRequest, Event, Pooling};

use crate::worker::Command;
use crate::{Chat, Error, Message, Model, SamplerParams};

/// Documents to be scored; see [`Model::rerank`].
#[derive(Clone)]
pub struct Rerank {
    model: Model,
    query: String,
    documents: Vec<String>,
    instruction: String,
    cache_salt: String,
}

/// What Qwen3-Reranker is told if nothing else is.
const INSTRUCTION: &str =
    "Given a web search query, retrieve relevant passages that answer the query";
const SYSTEM: &str = "Judge whether the Document meets the requirements based on the Query and the Instruct provided. \
                      Note that the answer can only be \"yes\" or \"no\".";
/// The two answers.
const ANSWERS: [&str; 2] = ["yes", "no"];

impl Model {
    /// Scores how well each document answers the query, from 0 to 1; better is higher. Only scores of one query are
    /// worth comparing, and models that were trained for it are much the better at it.
    ///
    /// ```no_run
    /// let model = ingle::Model::load("qwen3-0.6b")?;
    /// let scores = model.rerank("What do pandas eat?", ["Bamboo.", "It is raining."]).run()?;
    /// assert!(scores[0] > scores[1]);
    /// # Ok::<(), ingle::Error>(())
    /// ```
    pub fn rerank(
        &self,
        query: impl Into<String>,
        documents: impl IntoIterator<Item = impl Into<String>>,
    ) -> Rerank {
        Rerank {
            model: self.clone(),
            query: query.into(),
            documents: documents.into_iter().map(Into::into).collect(),
            instruction: INSTRUCTION.into(),
            cache_salt: String::new(),
        }
    }
}

impl Rerank {
    /// What a good document does, in a sentence; otherwise that it answers a web search. A model with a head has its
    /// own in its template.
    pub fn instruction(mut self, instruction: impl Into<String>) -> Self {
        self.instruction = instruction.into();
        self
    }

    /// Shares cached beginnings only with requests of the same salt: see [`Request::cache_salt`](crate::Request::cache_salt).
    pub fn cache_salt(mut self, salt: impl Into<String>) -> Self {
        self.cache_salt = salt.into();
        self
    }

    /// The scores, in the order of the documents.
    ///
    /// # Errors
    /// If the model has neither a head nor a chat template ([`Error::NoChatTemplate`]) or no token for an answer
    /// ([`Error::NoAnswerToken`]), or a document with the query is longer than the context.
    pub fn run(self) -> Result<Vec<f32>, Error> {
        let (command, receivers) = self.command()?;
        let sent = self.model.0.commands.send_blocking(command);
        sent.map_err(|_| Error::WorkerGone)?;
        let next = |receiver: &Receiver<Event>| receiver.recv_blocking().ok();
        let scores = receivers.iter().map(|receiver| {
            loop {
                if let Some(score) = self.score(next(receiver)) {
                    return score;
                }
            }
        });
        scores.collect()
    }

    /// [`Rerank::run`] for any async runtime.
    ///
    /// # Errors
    /// As for [`Rerank::run`].
    pub async fn run_async(self) -> Result<Vec<f32>, Error> {
        let (command, receivers) = self.command()?;
        let sent = self.model.0.commands.send(command).await;
        sent.map_err(|_| Error::WorkerGone)?;
        let mut scores = Vec::new();
        for receiver in receivers {
            loop {
                if let Some(score) = self.score(receiver.recv().await.ok()) {
                    scores.push(score?);
                    break;
                }
            }
        }
        Ok(scores)
    }

    /// What the model reads of each document, in tokens.
    ///
    /// # Errors
    /// As for [`Rerank::run`], but for lengths.
    pub fn prompts(&self) -> Result<Vec<Vec<u32>>, Error> {
        let has_head = self.model.model().rank_head().is_some();
        let prompt = |document: &String| match has_head {
            true => self.for_template(document),
            false => self.question(document),
        };
        let prompts = self.documents.iter().map(prompt);
        let prompts = prompts.collect::<Result<_, _>>()?;
        if !has_head {
            self.answers()?;
        }
        Ok(prompts)
    }

    fn command(&self) -> Result<(Command, Vec<Receiver<Event>>), Error> {
        let prompts = self.prompts()?;
        if self.model.model().rank_head().is_some() {
            return Ok(self.for_head(prompts));
        }
        let answers = self.answers()?;
        let sampler = SamplerParams {
            logprobs: Some(0),
            logprob_tokens: answers.to_vec(),
            ..SamplerParams::greedy()
        };
        let requests = prompts.into_iter().map(|prompt| engine::Request {
            prompt,
            sampler: sampler.clone(),
            max_tokens: Some(1),
            cache_salt: self.cache_salt.clone(),
            ..engine::Request::default()
        });
        Ok(Command::generate(requests.collect()))
    }

    /// The tokens of the two answers.
    fn answers(&self) -> Result<[u32; 2], Error> {
        let mut ids = [0; 2];
        for (answer, id) in ANSWERS.into_iter().zip(&mut ids) {
            match self.model.tokenizer().encode(answer, false, false)[..] {
                [token] => *id = token,
                _ => return Err(Error::NoAnswerToken { answer }),
            }
        }
        Ok(ids)
    }

    /// The prompt of a model without a head: up to where it would answer, without thoughts.
    fn question(&self, document: &str) -> Result<Vec<u32>, Error> {
        let Self {
            instruction, query, ..
        } = self;
        let user = format!("<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}");
        let chat = Chat(vec![Message::system(SYSTEM), Message::user(user)]);
        let request = self.model.chat(chat);
        let request = request.template_variable("enable_thinking", false.into());
        request.tokens()
    }

    fn for_head(&self, prompts: Vec<Vec<u32>>) -> (Command, Vec<Receiver<Event>>) {
        let pairs = prompts.into_iter().map(|tokens| {
            let request = EmbedRequest {
                tokens,
                pooling: Pooling::Last,
                cache_salt: self.cache_salt.clone(),
            };
            let (sender, receiver) = async_channel::bounded(1);
            ((request, sender), receiver)
        });
        let (requests, receivers) = pairs.unzip();
        (Command::Embed(requests), receivers)
    }

    /// The prompt of a model with a head: its own template, whose two names are replaced, or else that of models without.
    fn for_template(&self, document: &str) -> Result<Vec<u32>, Error> {
        let Some(template) = &self.model.0.rerank_template else {
            return self.question(document);
        };
        // Cut first: a query may hold the other's name.
        let parts = template.split("{query}").map(|part| {
            let parts: Vec<&str> = part.split("{document}").collect();
            parts.join(document)
        });
        let text = parts.collect::<Vec<_>>().join(&self.query);
        Ok(self.model.tokenizer().encode(&text, true, true))
    }

    /// The score that an event tells; nothing if another must be waited for.
    fn score(&self, event: Option<Event>) -> Option<Result<f32, Error>> {
        let logits = match event {
            Some(Event::Embedding(hidden)) => match self.model.model().rank_head() {
                Some(head) => head.logits(&hidden),
                None => return Some(Err(Error::WorkerGone)),
            },
            Some(Event::Piece { tokens, .. }) if !tokens.is_empty() => {
                let told = tokens[0].top_logprobs.iter();
                told.map(|&(_, logprob)| f64::from(logprob)).collect()
            }
            Some(Event::Prompt(_) | Event::Piece { .. }) => return None,
            Some(Event::End(Err(error))) => return Some(Err(error.into())),
            Some(Event::End(Ok(_))) | None => return Some(Err(Error::WorkerGone)),
        };
        Some(Ok(probability(&logits)))
    }
}

/// How probable the first of some logits is; of one, its logistic function.
fn probability(logits: &[f64]) -> f32 {
    let (&first, others) = logits.split_first().expect("a label");
    let sum: f64 = match others {
        [] => (-first).exp(),
        others => others.iter().map(|other| (other - first).exp()).sum(),
    };
    (1.0 / (1.0 + sum)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_probabilities() {
        assert_eq!(probability(&[0.0]), 0.5);
        assert_eq!(probability(&[1.0, 1.0]), 0.5);
        assert_eq!(probability(&[2.0, 2.0, 2.0, 2.0]), 0.25);
        assert_eq!(probability(&[-2000.0, 0.0]), 0.0);
        assert_eq!(probability(&[2000.0, f64::NEG_INFINITY]), 1.0);
        assert!((probability(&[1.0, 0.0]) - 0.731).abs() < 1e-3);
    }
}
