//! When a pool does without its workers, because something else has their processors.
//!
//! A thread that loses its processor in the middle of a piece keeps the others waiting for a time slice, some
//! milliseconds; a small model's jobs take microseconds. One thread that never waits is then faster than two
//! that do, and leaves its processor to others, among them a second process like this one. So if such
//! waits follow each other, or workers have missed jobs for as long, the caller lets them in only for bursts shorter
//! than a time slice, after which they sleep: schedulers let one that has slept go first, so a worker has its fair
//! share of the processor at times of our choice, and nothing in hand at others. A single wait is none: short-lived
//! programs, and hosts of virtual machines, take a processor away for a slice several times a second, and to work
//! alone for long after each costs more than they do.

use std::time::{Duration, Instant};

/// A wait shorter than this is none: disks and page faults take as long.
const LATE: Duration = Duration::from_millis(1);
/// Waits that add up to this are too many: two slices, or nearly. What is owed shrinks by a share of the time that goes by, so
/// that workers may cost a quarter of it.
const PATIENCE: Duration = Duration::from_millis(7);
const FORGIVEN: u32 = 4;
/// While workers are not trusted, they help for so long at a time: less than a time slice.
const BURST: Duration = Duration::from_millis(1);
/// How long the caller works alone between bursts, and at most, if workers are late even so. Shorter pauses
/// help against one busy process, and cost two processes like this one, whose bursts disturb each other.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(80);
/// How long workers are not trusted, the first time and at most.
const SHORTEST_DOUBT: Duration = Duration::from_millis(16);
const LONGEST_DOUBT: Duration = Duration::from_millis(512);
/// Workers that were on time for so many times the last doubt had no part in it.
const TRUST: u32 = 4;

/// What the caller has seen of its workers.
#[derive(Default)]
pub(crate) struct Pace {
    /// None as long as workers are trusted: then no clock is read.
    doubt: Option<Doubt>,
    /// When the last doubt ended, and how long it was.
    trusted_since: Option<Instant>,
    last_doubt: Duration,
    /// Since when not every worker has come to every job.
    missed_since: Option<Instant>,
    /// Waits that are not forgiven yet, and the end of the last.
    owed: Duration,
    last_wait: Option<Instant>,
}

/// Bursts and pauses in turn.
struct Doubt {
    until: Instant,
    is_alone: bool,
    phase_until: Instant,
    pause: Duration,
}

impl Pace {
    /// Whether to work alone for now.
    pub(crate) fn is_alone(&mut self) -> bool {
        self.doubt.is_some() && self.is_alone_at(Instant::now())
    }

    fn is_alone_at(&mut self, now: Instant) -> bool {
        let Some(doubt) = &mut self.doubt else {
            return false;
        };
        if now < doubt.phase_until {
            return doubt.is_alone;
        }
        if doubt.is_alone && now >= doubt.until {
            self.doubt = None;
            self.trusted_since = Some(now);
            return false;
        }
        if !doubt.is_alone {
            // A burst that went well.
            doubt.pause = (doubt.pause / 2).max(SHORTEST_PAUSE);
        }
        doubt.is_alone = !doubt.is_alone;
        doubt.phase_until = now + if doubt.is_alone { doubt.pause } else { BURST };
        self.missed_since = None;
        doubt.is_alone
    }

    /// Whether all workers had begun a job, which was there from `start`, when it was closed.
    pub(crate) fn began(&mut self, all: bool, start: Instant) {
        if all {
            self.missed_since = None;
        } else if start - *self.missed_since.get_or_insert(start) >= LATE {
            self.late(start);
        }
    }

    /// The caller did its part of a job in `work` and has then waited for others, until `now`, for `wait`.
    pub(crate) fn waited(&mut self, work: Duration, wait: Duration, now: Instant) {
        // Pieces of a long prompt take milliseconds themselves, but never most of a job.
        if wait < LATE.max(work) {
            return;
        }
        if self.doubt.is_none() {
            let since = self.last_wait.map_or(Duration::MAX, |last| now - last);
            self.owed = self.owed.saturating_sub(since / FORGIVEN) + wait;
            self.last_wait = Some(now);
            if self.owed < PATIENCE {
                return;
            }
            self.owed = Duration::ZERO;
        }
        self.late(now);
    }

    fn late(&mut self, now: Instant) {
        self.missed_since = None;
        let doubt = self.doubt.get_or_insert_with(|| {
            let trusted = self
                .trusted_since
                .is_none_or(|since| now.saturating_duration_since(since) > TRUST * self.last_doubt);
            self.last_doubt = match trusted {
                true => SHORTEST_DOUBT,
                false => (2 * self.last_doubt).min(LONGEST_DOUBT),
            };
            Doubt {
                until: now + self.last_doubt,
                is_alone: true,
                phase_until: now,
                pause: SHORTEST_PAUSE / 2,
            }
        });
        doubt.pause = (2 * doubt.pause).min(LONGEST_PAUSE);
        doubt.is_alone = true;
        doubt.phase_until = now + doubt.pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_micros(20);

    #[test]
    fn late_workers_help_in_bursts_and_are_trusted_again() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.waited(TICK, PATIENCE, start);
        let mut now = start;
        let mut phases = Vec::new();
        while now < start + SHORTEST_DOUBT {
            phases.push(pace.is_alone_at(now));
            now += BURST;
        }
        let expected: Vec<bool> = (0..phases.len()).map(|i| i % 6 != 5).collect();
        assert_eq!(phases, expected, "five milliseconds of six alone");
        assert!(!pace.is_alone_at(now + SHORTEST_PAUSE) && pace.doubt.is_none());
    }

    #[test]
    fn waits_that_are_short_or_part_of_long_work_do_not_count() {
        let mut pace = Pace::default();
        pace.waited(TICK, LATE - TICK, Instant::now());
        pace.waited(10 * LATE, 9 * LATE, Instant::now());
        assert!(!pace.is_alone());
    }

    #[test]
    fn only_waits_that_follow_each_other_raise_doubt() {
        let slice = PATIENCE / 2;
        let start = Instant::now();
        let mut pace = Pace::default();
        for i in 0..10 {
            pace.waited(TICK, slice, start + i * FORGIVEN * slice);
            assert!(pace.doubt.is_none(), "wait {i} of one slice in four");
        }
        pace.waited(TICK, slice, start + (9 * FORGIVEN + 2) * slice);
        assert!(pace.doubt.is_none(), "half forgiven");
        pace.waited(TICK, slice, start + (9 * FORGIVEN + 4) * slice);
        assert!(pace.doubt.is_some(), "every second slice");
    }

    #[test]
    fn a_worker_that_misses_jobs_for_long_is_late() {
        let start = Instant::now();
        let mut pace = Pace::default();
        let jobs = [
            (false, 0),
            (false, 40),
            (true, 49),
            (false, 50),
            (false, 99),
        ];
        for (all, ticks) in jobs {
            pace.began(all, start + ticks * TICK);
            assert!(pace.doubt.is_none(), "job {ticks}");
        }
        pace.began(false, start + 100 * TICK);
        assert!(pace.doubt.is_some());
    }

    #[test]
    fn doubts_and_pauses_double_while_workers_stay_late() {
        let mut now = Instant::now();
        let mut pace = Pace::default();
        let (mut doubts, mut pauses) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            pace.waited(TICK, PATIENCE, now);
            doubts.push(pace.last_doubt);
            now += pace.last_doubt;
            assert!(!pace.is_alone_at(now));
        }
        let expected = [16, 32, 64, 128, 256, 512, 512].map(Duration::from_millis);
        assert_eq!(doubts, expected);
        for _ in 0..7 {
            pace.waited(TICK, PATIENCE, now);
            pauses.extend(pace.doubt.as_ref().map(|doubt| doubt.pause));
        }
        let expected = [5, 10, 20, 40, 80, 80, 80].map(Duration::from_millis);
        assert_eq!(pauses, expected);
        pace.doubt = None;
        pace.waited(TICK, PATIENCE, now + TRUST * LONGEST_DOUBT + TICK);
        assert_eq!(pace.last_doubt, SHORTEST_DOUBT);
    }
}
