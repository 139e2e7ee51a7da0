//! Several replies taken apart, with the tokens of each.

use crate::answer::AnswerBuilder;
use crate::parts::{finish, push};
use crate::reply::ReplyStream;
use crate::{Answer, Ending, Error, Reply, Request};

impl Request {
    /// All replies ([`Request::n`], [`Request::best_of`]), each as it is and taken apart; none is taken apart if the
    /// request is no conversation.
    ///
    /// ```no_run
    /// # use ingle::dialogue::Tool;
    /// let model = ingle::Model::load("qwen2.5-coder-1.5b")?;
    /// let clock = Tool::new("clock", "The time", serde_json::json!({ "type": "object", "properties": {} }));
    /// for (reply, answer) in model.chat("How late is it?").tools(vec![clock]).n(3).answer_all()? {
    ///     println!("{}: {:?}", reply.text, answer.map(|answer| answer.tool_calls));
    /// }
    /// # Ok::<(), ingle::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Request::answer`].
    pub fn answer_all(self) -> Result<Vec<(Reply, Option<Answer>)>, Error> {
        let request = self.with_marks();
        let prepared = request.prepare()?;
        let parsers = prepared.parsers.clone();
        let replies = prepared.start()?.into_iter().map(ReplyStream::reply);
        let replies = replies.collect::<Result<Vec<_>, _>>()?;
        let mut pairs: Vec<_> = replies.into_iter().zip(parsers).collect();
        if pairs.len() > request.num_choices {
            pairs.sort_by(|(a, _), (b, _)| b.mean_logprob().total_cmp(&a.mean_logprob()));
            pairs.truncate(request.num_choices);
        }
        let taken_apart = pairs.into_iter().map(|(reply, mut parser)| {
            if parser.is_none() {
                return (reply, None);
            }
            let mut answer = AnswerBuilder::default();
            let deltas = push(&mut parser, reply.text.clone());
            let deltas = deltas.into_iter().chain(finish(&mut parser));
            deltas.for_each(|delta| answer.add(delta));
            let answer = answer.finish(Ending {
                reason: reply.finish_reason,
                cause: reply.stop_cause.clone(),
                usage: reply.usage,
            });
            (reply, Some(answer))
        });
        Ok(taken_apart.collect())
    }
}
