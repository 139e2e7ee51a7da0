//! The output: a line for each job that is done. It tells a later run what is left to do.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ingle::{Answer, FinishReason, Reply, TokenInfo, Tokenizer};
use serde_json::{Value, json};

use super::job::Job;
use super::tools;
use crate::failure::Failure;

/// Lines of results, appended one by one.
pub(crate) struct Output {
    path: PathBuf,
    file: File,
    /// By number, the hash of what was asked, if it is there.
    done: HashMap<u64, Option<String>>,
}

impl Output {
    /// Opens `path` and finds out what is there already. A last line that was not written to its end is cut off.
    ///
    /// # Errors
    /// If it cannot be read or written, or has lines that no batch wrote.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |action| move |error| Failure::file(action, path, &error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(failed("open"))?;
        let (mut done, mut whole) = (HashMap::new(), 0);
        let mut reader = BufReader::new(&mut file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let len = reader
                .read_until(b'\n', &mut line)
                .map_err(failed("read"))?;
            if line.last() != Some(&b'\n') {
                break;
            }
            let value: Option<Value> = serde_json::from_slice(&line).ok();
            let number = |value: &Value| {
                Some((
                    value["line"].as_u64()?,
                    value["input_hash"].as_str().map(str::to_owned),
                ))
            };
            let Some((number, hash)) = value.as_ref().and_then(number) else {
                let path = path.display();
                return Err(Failure::new(format!(
                    "`{path}`: expected results of an earlier run, found another line at byte {whole}\nhint: name a file that is not there yet"
                )));
            };
            done.insert(number, hash);
            whole += len as u64;
        }
        drop(reader);
        file.set_len(whole).map_err(failed("write"))?;
        file.seek(SeekFrom::End(0)).map_err(failed("write"))?;
        let path = path.to_owned();
        Ok(Self { path, file, done })
    }

    /// Whether an earlier run has done line `number` of the input.
    pub(crate) fn has(&self, number: usize) -> bool {
        self.done.contains_key(&(number as u64))
    }

    /// Fails if the lines that are done were others when they were done: their results would be mixed up with those of
    /// an input that was edited.
    ///
    /// # Errors
    /// With the first that has changed.
    pub(crate) fn check(&self, lines: &[String]) -> Result<(), Failure> {
        let has_changed = |(number, line): &(u64, &String)| match self.done.get(number) {
            Some(Some(was)) => *was != hash(line),
            _ => false,
        };
        let Some((number, _)) = (1..).zip(lines).find(has_changed) else {
            return Ok(());
        };
        let path = self.path.display();
        Err(Failure::new(format!(
            "line {number} of the input has changed since `{path}` was begun\nhint: name another output, or take that line's result out of this one"
        )))
    }

    /// How many lines an earlier run has done.
    pub(crate) fn num_done(&self) -> usize {
        self.done.len()
    }

    /// Adds a result; it is with the system when this returns.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn add(&mut self, value: &Value) -> Result<(), Failure> {
        let line = format!("{value}\n");
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|error| Failure::file("write", &self.path, &error))
    }
}

/// What tells a line from others: FNV-1a of 64 bits (Fowler, Noll, Vo), the same in every release.
pub(crate) fn hash(line: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let hash = line.trim().bytes().fold(0xcbf2_9ce4_8422_2325, step);
    format!("{hash:016x}")
}

/// A result, as OpenAI's batches have it.
pub(crate) fn result(
    (number, line): (usize, &str),
    job: &Job,
    model: &str,
    tokenizer: &Tokenizer,
    replies: &[(Reply, Option<Answer>)],
) -> Value {
    let choices: Vec<Value> = (0..)
        .zip(replies)
        .map(|(index, (reply, answer))| choice(index, job, tokenizer, reply, answer.as_ref()))
        .collect();
    let prompt_tokens = replies
        .first()
        .map_or(0, |(reply, _)| reply.usage.prompt_tokens);
    let cached = replies
        .first()
        .map_or(0, |(reply, _)| reply.usage.cached_tokens);
    let generated: usize = replies.iter().map(|(r, _)| r.usage.generated_tokens).sum();
    let object = match job.is_chat() {
        true => "chat.completion",
        false => "text_completion",
    };
    json!({
        "line": number,
        "input_hash": hash(line),
        "custom_id": job.custom_id,
        "response": {
            "status_code": 200,
            "body": {
                "object": object,
                "model": model,
                "choices": choices,
                "usage": {
                    "prompt_tokens": prompt_tokens,
                    "completion_tokens": generated,
                    "total_tokens": prompt_tokens + generated,
                    "prompt_tokens_details": { "cached_tokens": cached },
                },
            },
        },
        "error": null,
    })
}

fn choice(
    index: usize,
    job: &Job,
    tokenizer: &Tokenizer,
    reply: &Reply,
    answer: Option<&Answer>,
) -> Value {
    let has_calls = answer.is_some_and(|answer| !answer.tool_calls.is_empty());
    let finish_reason = match reply.finish_reason {
        FinishReason::Length => "length",
        _ if has_calls => "tool_calls",
        _ => "stop",
    };
    let mut choice = json!({ "index": index });
    if let Some(answer) = answer {
        choice["message"] = message(answer);
    } else if job.is_chat() {
        choice["message"] = json!({ "role": "assistant", "content": reply.text });
    } else {
        choice["text"] = json!(reply.text);
    }
    choice["finish_reason"] = json!(finish_reason);
    if !reply.tokens.is_empty() {
        let tokens = reply.tokens.iter().map(|token| logprob(tokenizer, token));
        choice["logprobs"] = json!({ "content": tokens.collect::<Vec<_>>() });
    }
    choice
}

/// What was said, thought and called; what there is nothing of is left out, but for the text.
fn message(answer: &Answer) -> Value {
    let content = match (answer.content.as_str(), answer.tool_calls.as_slice()) {
        ("", [_, ..]) => Value::Null,
        (text, _) => json!(text),
    };
    let mut message = json!({ "role": "assistant", "content": content });
    if !answer.reasoning.is_empty() {
        message["reasoning_content"] = json!(answer.reasoning);
    }
    if !answer.tool_calls.is_empty() {
        message["tool_calls"] = tools::calls(&answer.tool_calls);
    }
    message
}

fn logprob(tokenizer: &Tokenizer, token: &TokenInfo) -> Value {
    let one = |id: u32, logprob: Option<f32>| {
        let bytes = tokenizer.token_bytes(id);
        json!({
            "token": String::from_utf8_lossy(&bytes),
            "id": id,
            "logprob": logprob,
            "bytes": bytes,
        })
    };
    let best = token.top_logprobs.iter();
    let best: Vec<Value> = best.map(|&(id, logprob)| one(id, Some(logprob))).collect();
    let mut value = one(token.id, token.logprob);
    value["top_logprobs"] = json!(best);
    value
}
