//! The classifier: one token of the model for each label, and how probable each is.
//!
//! The instructions and examples are the same for all statements, so their keys and values stay in the cache of
//! prefixes; a statement costs its own tokens and one more. The reply is held to the labels, and its first token tells
//! them apart: its log-probabilities are those of the labels.

use ingle::sampler::SamplerParams;
use ingle::{Chat, KvType, Message, Model};

/// The labels. Each begins with a token of its own.
pub(crate) const LABELS: [&str; 5] = ["create", "read", "update", "delete", "other"];

/// What the model is told.
pub(crate) const INSTRUCTIONS: &str = "\
You label database statements, program code, HTTP requests and plain sentences by what they do to data.
create: new data or new objects appear (insert, import, load, add, book, sign up, create anything, POST).
read: data is looked at or copied out and nothing changes (select, show, find, list, export, unload, describe, explain, help, questions about data, GET, HEAD).
update: what exists is changed and stays (update, alter anything, comment on, rename, set, reset, expire, move, turn on or off, PUT, PATCH).
delete: what exists goes away (delete, drop anything, truncate, remove, clear, flush, cancel, DELETE).
other: nothing of this (transactions, grants, connections, session settings, locks, maintenance, headers, small talk, general knowledge).
What matters is the action, not words in names or in quoted text.
Answer with one word: create, read, update, delete or other.";

/// Statements with their labels, shown to the model as earlier turns. None of them is in the labelled set.
pub(crate) const EXAMPLES: [(&str, &str); 25] = [
    (
        "INSERT INTO planets (name, moons) VALUES ('Mars', 2)",
        "create",
    ),
    ("SELECT moons FROM planets WHERE name = 'Mars'", "read"),
    (
        "UPDATE planets SET moons = 95 WHERE name = 'Jupiter'",
        "update",
    ),
    ("DELETE FROM planets WHERE name = 'Pluto'", "delete"),
    ("ROLLBACK", "other"),
    ("ALTER TABLE planets ADD mass DOUBLE PRECISION", "update"),
    ("Planet.objects.exclude(moons=0).count()", "read"),
    ("planet.destroy!", "delete"),
    ("db.planets.insertOne({ name: \"Ceres\" })", "create"),
    ("PATCH /planets/4 {\"moons\": 3}", "update"),
    ("OPTIONS /planets", "other"),
    ("DROP TRIGGER count_moons ON planets", "delete"),
    ("EXPORT planets TO 'planets.parquet'", "read"),
    ("client = MongoClient(uri)", "other"),
    ("SET planets.cache = off", "other"),
    ("REINDEX planets", "other"),
    ("HEXISTS planet:4 moons", "read"),
    ("COMMENT ON VIEW inner_planets IS 'up to Mars'", "update"),
    ("DROP DOMAIN mass", "delete"),
    (
        "SELECT * INTO far_planets FROM planets WHERE au > 9",
        "create",
    ),
    ("PERSIST planet:4", "update"),
    ("Which planet is the largest one in the table?", "read"),
    ("Write down a new planet named Vulcan.", "create"),
    ("GRANT UPDATE ON planets TO astronomer", "other"),
    ("Strike Pluto off the list.", "delete"),
];

/// A statement's label.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// Position of the most probable label.
    pub(crate) best: usize,
    /// Probabilities of all labels; they add up to one.
    pub(crate) probabilities: [f32; LABELS.len()],
}

impl Answer {
    /// The most probable label.
    pub(crate) fn label(&self) -> &'static str {
        LABELS[self.best]
    }
}

/// A model with the labels' tokens.
pub(crate) struct Classifier {
    model: Model,
    tokens: [u32; LABELS.len()],
}

impl Classifier {
    /// Loads a model.
    ///
    /// # Errors
    /// If it cannot be loaded, or two labels begin with the same token of it.
    pub(crate) fn new(model: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let model = Model::builder(model).ctx(CTX).parallel(1);
        // A statement looks back at all instructions and examples: int8 makes that faster, and as many are right.
        let model = model.kv_type(KvType::Q8).load()?;
        let tokens = LABELS.map(|label| model.tokenizer().encode(label, false, false)[0]);
        for (i, token) in tokens.iter().enumerate() {
            if tokens[..i].contains(token) {
                return Err(format!(
                    "`{}` begins with the same token as another label",
                    LABELS[i]
                )
                .into());
            }
        }
        Ok(Self { model, tokens })
    }

    /// The label of a statement.
    ///
    /// # Errors
    /// If the model fails, or spells a label in another way than its tokenizer.
    pub(crate) fn classify(&self, statement: &str) -> Result<Answer, Box<dyn std::error::Error>> {
        let mut sampler = SamplerParams::greedy();
        sampler.logprobs = Some(0);
        sampler.logprob_tokens = self.tokens.to_vec();
        let request = self.model.chat(Chat(prompt(statement)));
        let reply = request
            .choice(LABELS)
            .sampler(sampler)
            .max_tokens(1)
            .run()?;
        let first = reply.tokens.first().ok_or("the model said nothing")?;
        let logprob = |token: &u32| {
            let found = first.top_logprobs.iter().find(|(id, _)| id == token);
            found.map_or(f32::NEG_INFINITY, |&(_, logprob)| logprob)
        };
        let logprobs = self.tokens.each_ref().map(logprob);
        // Softmax over the labels alone.
        let largest = logprobs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if largest == f32::NEG_INFINITY {
            return Err(format!("`{}` is not the first token of a label", reply.text).into());
        }
        let mut weights = logprobs.map(|logprob| (logprob - largest).exp());
        weights[LABELS.len() - 1] *= OTHER;
        let sum: f32 = weights.iter().sum();
        let best = (0..LABELS.len()).max_by(|&a, &b| weights[a].total_cmp(&weights[b]));
        Ok(Answer {
            best: best.unwrap_or(0),
            probabilities: weights.map(|weight| weight / sum),
        })
    }
}

/// What the probability of `other`, the last label, is multiplied with: a small model takes for it what it does not know.
/// In the middle of the values (0.4 to 0.8) that do best over `development.tsv`.
const OTHER: f32 = 0.6;

/// Tokens of instructions, examples and a statement together: keys and values for more would only take memory.
const CTX: usize = 2_048;

/// Instructions, examples, and the statement.
pub(crate) fn prompt(statement: &str) -> Vec<Message> {
    let mut messages = vec![Message::system(INSTRUCTIONS)];
    for (example, label) in EXAMPLES {
        messages.push(Message::user(example));
        messages.push(Message::assistant(label));
    }
    messages.push(Message::user(statement));
    messages
}
