//! Texts as vectors: hidden states of their tokens, pooled.

use std::ops::Range;
use std::str::FromStr;

use crate::request::{Event, RequestError, Sink};

/// How the hidden states of a text become one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over all tokens.
    Mean,
    /// That of the first token.
    Cls,
    /// That of the last token, which has seen all others.
    #[default]
    Last,
}

impl Pooling {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mean, Self::Cls, Self::Last];

    /// llama.cpp's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::Last => "last",
        }
    }
}

impl FromStr for Pooling {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|pooling| pooling.name() == name);
        found.ok_or_else(|| format!("expected mean, cls or last, found `{name}`"))
    }
}

/// A text that becomes a vector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbedRequest {
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// How.
    pub pooling: Pooling,
    /// As [`Request::cache_salt`](crate::Request::cache_salt).
    pub cache_salt: String,
}

/// A vector in the making.
pub(crate) struct Embedding {
    pooling: Pooling,
    num_tokens: usize,
    /// The sum of the rows so far, in order of position: however they come, it is the same bits.
    sum: Vec<f64>,
    /// Rows that are summed: those that come again after a preemption are not.
    num_summed: usize,
    sink: Box<dyn Sink>,
}

impl Embedding {
    pub(crate) fn new(request: &EmbedRequest, sink: Box<dyn Sink>) -> Self {
        Self {
            pooling: request.pooling,
            num_tokens: request.tokens.len(),
            sum: Vec::new(),
            num_summed: 0,
            sink,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sink.is_closed()
    }

    /// Whether the row of this position counts.
    pub(crate) fn wants(&self, position: usize) -> bool {
        match self.pooling {
            Pooling::Mean => true,
            Pooling::Cls => position == 0,
            Pooling::Last => position + 1 == self.num_tokens,
        }
    }

    /// The rows of those `positions` that count, of `width` elements each; the rows that are left.
    pub(crate) fn take<'h>(
        &mut self,
        positions: Range<usize>,
        mut rows: &'h [f32],
        width: usize,
    ) -> &'h [f32] {
        for position in positions {
            if self.wants(position) {
                let (row, rest) = rows.split_at(width);
                self.add(position, row);
                rows = rest;
            }
        }
        rows
    }

    fn add(&mut self, position: usize, row: &[f32]) {
        let expected = match self.pooling {
            Pooling::Mean => self.num_summed,
            Pooling::Cls | Pooling::Last => position,
        };
        if position != expected || (self.pooling != Pooling::Mean && self.num_summed > 0) {
            return;
        }
        self.sum.resize(row.len(), 0.0);
        for (sum, &x) in self.sum.iter_mut().zip(row) {
            *sum += f64::from(x);
        }
        self.num_summed += 1;
    }

    /// All rows have come.
    pub(crate) fn end(mut self) {
        let scale = 1.0 / self.num_summed.max(1) as f64;
        let vector = self.sum.iter().map(|&sum| (sum * scale) as f32);
        let event = Event::Embedding(vector.collect());
        self.sink.send(event);
    }

    /// It cannot be.
    pub(crate) fn fail(mut self, error: RequestError) {
        self.sink.send(Event::End(Err(error)));
    }
}
