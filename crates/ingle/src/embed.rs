//! Texts as vectors.

use async_channel::Receiver;
use engine::{EmbedRequest, Event, Pooling};

use crate::worker::Command;
use crate::{Error, Model};

/// Texts that become vectors; see [`Model::embed`].
#[derive(Clone)]
pub struct Embed {
    model: Model,
    texts: Vec<Text>,
    pooling: Pooling,
    normalize: bool,
    truncate: bool,
    cache_salt: String,
}

#[derive(Clone)]
enum Text {
    Plain(String),
    Tokens(Vec<u32>),
}

impl Model {
    /// Makes vectors of texts, one of each, as long as the model is wide: hidden states after the last layer, pooled.
    ///
    /// ```no_run
    /// let model = ingle::Model::load("smollm2")?;
    /// let vectors = model.embed(["a fox", "a bicycle"]).run()?;
    /// # Ok::<(), ingle::Error>(())
    /// ```
    pub fn embed(&self, texts: impl IntoIterator<Item = impl Into<String>>) -> Embed {
        let text = |text: _| Text::Plain(Into::into(text));
        self.embed_all(texts.into_iter().map(text).collect())
    }

    /// [`Model::embed`], of ids.
    pub fn embed_tokens(&self, texts: impl IntoIterator<Item = Vec<u32>>) -> Embed {
        self.embed_all(texts.into_iter().map(Text::Tokens).collect())
    }

    fn embed_all(&self, texts: Vec<Text>) -> Embed {
        Embed {
            model: self.clone(),
            texts,
            pooling: Pooling::default(),
            normalize: true,
            truncate: false,
            cache_salt: String::new(),
        }
    }
}

impl Embed {
    /// How the tokens' states become one vector; that of the last token is taken otherwise.
    pub fn pooling(mut self, pooling: Pooling) -> Self {
        self.pooling = pooling;
        self
    }

    /// Whether vectors are scaled to length 1; they are.
    pub fn normalize(mut self, normalize: bool) -> Self {
        self.normalize = normalize;
        self
    }

    /// Whether a text that is longer than the context is cut there; it is an error otherwise.
    pub fn truncate(mut self, truncate: bool) -> Self {
        self.truncate = truncate;
        self
    }

    /// Shares cached beginnings only with requests of the same salt: see [`Request::cache_salt`](crate::Request::cache_salt).
    pub fn cache_salt(mut self, salt: impl Into<String>) -> Self {
        self.cache_salt = salt.into();
        self
    }

    /// The vectors, in the order of the texts.
    ///
    /// # Errors
    /// If a text is empty, or longer than the context.
    pub fn run(self) -> Result<Vec<Vec<f32>>, Error> {
        let (command, receivers) = self.command();
        let sent = self.model.0.commands.send_blocking(command);
        sent.map_err(|_| Error::WorkerGone)?;
        let vectors = receivers
            .iter()
            .map(|receiver| self.vector(receiver.recv_blocking().ok()));
        vectors.collect()
    }

    /// [`Embed::run`] for any async runtime.
    ///
    /// # Errors
    /// As for [`Embed::run`].
    pub async fn run_async(self) -> Result<Vec<Vec<f32>>, Error> {
        let (command, receivers) = self.command();
        let sent = self.model.0.commands.send(command).await;
        sent.map_err(|_| Error::WorkerGone)?;
        let mut vectors = Vec::new();
        for receiver in receivers {
            vectors.push(self.vector(receiver.recv().await.ok())?);
        }
        Ok(vectors)
    }

    fn command(&self) -> (Command, Vec<Receiver<Event>>) {
        let tokenizer = self.model.tokenizer();
        let most = match self.truncate {
            true => self.model.info().ctx,
            false => usize::MAX,
        };
        let pairs = self.texts.iter().map(|text| {
            let mut tokens = match text {
                Text::Plain(text) => tokenizer.encode(text, true, false),
                Text::Tokens(tokens) => tokens.clone(),
            };
            tokens.truncate(most);
            let request = EmbedRequest {
                tokens,
                pooling: self.pooling,
                cache_salt: self.cache_salt.clone(),
            };
            let (sender, receiver) = async_channel::bounded(1);
            ((request, sender), receiver)
        });
        let (requests, receivers) = pairs.unzip();
        (Command::Embed(requests), receivers)
    }

    fn vector(&self, event: Option<Event>) -> Result<Vec<f32>, Error> {
        let mut vector = match event {
            Some(Event::Embedding(vector)) => vector,
            Some(Event::End(Err(error))) => return Err(error.into()),
            _ => return Err(Error::WorkerGone),
        };
        let square: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        if self.normalize && square > 0.0 {
            let scale = 1.0 / square.sqrt();
            vector
                .iter_mut()
                .for_each(|x| *x = (f64::from(*x) * scale) as f32);
        }
        Ok(vector)
    }
}
