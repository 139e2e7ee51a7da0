//! How many requests there may be at a time: those that are computed and those that wait. More are refused, so that
//! waiting has a bound and so has memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{ApiError, Kind, Outcome};

/// Places for requests.
pub(crate) struct Queue {
    places: Arc<Semaphore>,
    num_places: usize,
}

/// Places that replies hold until the last of them is over.
pub(crate) type Places = Arc<OwnedSemaphorePermit>;

impl Queue {
    pub(crate) fn new(num_places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(num_places)),
            num_places,
        }
    }

    /// Places for so many replies.
    ///
    /// # Errors
    /// If there are not so many left.
    pub(crate) fn enter(&self, num_replies: usize) -> Outcome<Places> {
        if num_replies > self.num_places {
            let message = format!(
                "{num_replies} replies are asked for, and there are {} places\nhint: a larger queue (`--max-queue`)",
                self.num_places
            );
            return Err(ApiError::field("n", message));
        }
        let wanted = u32::try_from(num_replies).unwrap_or(u32::MAX);
        match Arc::clone(&self.places).try_acquire_many_owned(wanted) {
            Ok(places) => Ok(Arc::new(places)),
            Err(_) => Err(ApiError::new(
                Kind::Busy,
                "server busy: too many requests wait already, please try again",
            )),
        }
    }

    /// Replies that are under way or wait.
    pub(crate) fn num_taken(&self) -> usize {
        self.num_places - self.places.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_a_bound_and_come_back() {
        let queue = Queue::new(3);
        let two = queue.enter(2).expect("three are free");
        assert_eq!(queue.num_taken(), 2);
        let refused = queue.enter(2).expect_err("one is free");
        assert_eq!(refused.kind(), Kind::Busy);
        let impossible = queue.enter(4).expect_err("there are three");
        assert_eq!(impossible.kind(), Kind::Invalid);
        drop(two);
        assert_eq!(queue.num_taken(), 0);
        queue.enter(3).expect("all are free");
    }
}
