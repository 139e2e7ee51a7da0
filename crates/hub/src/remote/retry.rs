//! Trying again: which failures may pass, how long to wait, when to give up and with which error.

use std::time::Duration;

use super::http::{Answer, Ask, Failure, Http, printable};
use super::url::Url;
use crate::config::Retry;
use crate::error::Error;
use crate::progress::{Meter, Phase};

/// Sends a request until something other than a passing failure comes back.
pub(crate) fn request(
    http: &Http,
    retry: &Retry,
    url: &Url,
    ask: Ask<'_>,
    meter: &mut Meter<'_>,
) -> Result<Answer, Error> {
    let mut backoff = Backoff::new(retry);
    loop {
        let (reason, asked) = match http.send(url, ask) {
            Ok(answer) if is_passing(answer.status) => {
                let asked = answer.retry_after();
                if backoff.is_last() || asked.is_some_and(|asked| asked > retry.max_wait) {
                    return Err(status_error(answer, &url.shown(), 0, None));
                }
                (format!("HTTP {}", answer.status), asked)
            }
            Ok(answer) => return Ok(answer),
            Err(Failure::Fatal(error)) => return Err(error),
            Err(Failure::Unreachable(reason)) => return Err(unreachable(url, reason)),
            Err(Failure::Broken(reason)) if backoff.is_last() || reason.starts_with("timeout") => {
                return Err(unreachable(url, reason));
            }
            Err(Failure::Broken(reason)) => (reason, None),
        };
        backoff.pause(asked, &reason, meter)?;
    }
}

/// Counts attempts and sleeps between them.
pub(crate) struct Backoff<'a> {
    retry: &'a Retry,
    attempt: u32,
}

impl<'a> Backoff<'a> {
    pub(crate) fn new(retry: &'a Retry) -> Self {
        Self { retry, attempt: 1 }
    }

    /// The attempt brought something: start counting again.
    pub(crate) fn reset(&mut self) {
        self.attempt = 1;
    }

    /// Attempts so far.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempt
    }

    pub(crate) fn is_last(&self) -> bool {
        self.attempt >= self.retry.attempts
    }

    /// Waits before the next attempt: as long as the server asked, else doubling, never longer
    /// than the limit. Stops early if the caller cancels.
    pub(crate) fn pause(
        &mut self,
        asked: Option<Duration>,
        reason: &str,
        meter: &mut Meter<'_>,
    ) -> Result<(), Error> {
        let doubled = self
            .retry
            .base
            .saturating_mul(1 << (self.attempt - 1).min(16));
        let wait = asked.unwrap_or(doubled).min(self.retry.max_wait);
        self.attempt += 1;
        meter.phase(Phase::Retrying {
            attempt: self.attempt,
            wait,
            reason,
        });
        let mut left = wait;
        while !left.is_zero() {
            meter.check()?;
            let step = left.min(Duration::from_millis(100));
            std::thread::sleep(step);
            left -= step;
        }
        Ok(())
    }
}

/// Statuses that may be gone in a moment.
pub(crate) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

pub(crate) fn unreachable(url: &Url, reason: String) -> Error {
    Error::Unreachable {
        host: url.authority(),
        reason: printable(&reason, 200),
    }
}

/// The error for an answer that is no success.
pub(crate) fn status_error(answer: Answer, what: &str, done: u64, total: Option<u64>) -> Error {
    let host = answer.url.authority();
    let what = what.to_owned();
    let (status, token_sent, wait) = (answer.status, answer.token_sent, answer.retry_after());
    let gated = answer.header("x-error-code") == Some("GatedRepo");
    match status {
        401 | 403 => {
            let message = answer.into_message();
            Error::Forbidden {
                host,
                what,
                status,
                message,
                gated,
                token_sent,
            }
        }
        404 | 410 => Error::NotFound { host, what },
        429 => Error::RateLimited {
            host,
            wait,
            done,
            total,
        },
        _ => Error::Status {
            host,
            what,
            status,
            message: answer.into_message(),
            done,
            total,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit() {
        let retry = Retry {
            attempts: 3,
            base: Duration::from_millis(1),
            max_wait: Duration::from_millis(3),
        };
        struct Waits(Vec<Duration>);
        impl crate::Progress for Waits {
            fn update(&mut self, report: &crate::Report<'_>) {
                if let Phase::Retrying { wait, .. } = report.phase {
                    self.0.push(wait);
                }
            }
        }
        let mut waits = Waits(Vec::new());
        let mut meter = Meter::new(&mut waits, 1, None);
        let mut backoff = Backoff::new(&retry);
        backoff.pause(None, "", &mut meter).unwrap();
        backoff.pause(None, "", &mut meter).unwrap();
        assert!(backoff.is_last());
        backoff.pause(None, "", &mut meter).unwrap();
        backoff
            .pause(Some(Duration::from_secs(9)), "", &mut meter)
            .unwrap();
        assert_eq!(
            waits.0.iter().map(Duration::as_millis).collect::<Vec<_>>(),
            [1, 2, 3, 3]
        );
    }
}
