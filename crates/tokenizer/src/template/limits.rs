//! Bounds on what a template may do, and the meter that keeps them.
//!
//! A template comes from the internet with the model, so it is untrusted code. The engine counts
//! steps and recursion itself; a step, though, may double a string or compare two long ones, so
//! every operation of ours also pays for the bytes it makes and the bytes it looks at. Time and
//! memory of a rendering are then bounded by the sum of these budgets, whatever the template is.

use minijinja::value::Object;
use minijinja::{Error, State};

use super::error::limit;
use super::strftime::CivilTime;

/// How much one template may be, compute and write. Each is far above what real templates need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest template source, in bytes.
    pub source_bytes: usize,
    /// Engine instructions of one rendering.
    pub steps: u64,
    /// Nested macro calls and recursive loops cost one or more of these each.
    pub recursion: usize,
    /// Bytes of text and lists that one rendering may create, output included.
    pub made_bytes: usize,
    /// Bytes that searching, comparing and converting may look at in one rendering.
    pub work_bytes: usize,
    /// Longest result, in bytes; captured blocks and macro results count as well.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source_bytes: 1 << 20,
            steps: 5_000_000,
            recursion: 200,
            made_bytes: 256 << 20,
            work_bytes: 1 << 30,
            output_bytes: 64 << 20,
        }
    }
}

/// Values deeper than this are not built, printed or compared: all of that is recursive.
pub(super) const MAX_VALUE_DEPTH: usize = 200;

/// What is left of the budgets of one rendering; lives in the engine's state.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    limits: Limits,
    made_left: usize,
    work_left: usize,
    output_left: usize,
    pub(super) now: CivilTime,
}

impl Meter {
    pub(super) fn new(limits: Limits, now: CivilTime) -> Self {
        Self {
            limits,
            made_left: limits.made_bytes,
            work_left: limits.work_bytes,
            output_left: limits.output_bytes,
            now,
        }
    }

    /// Pays for `bytes` about to be created. Call it before creating them.
    pub(super) fn make(&mut self, bytes: usize) -> Result<(), Error> {
        self.made_left = self
            .made_left
            .checked_sub(bytes.saturating_add(16))
            .ok_or_else(|| limit(format!("{} bytes of values", self.limits.made_bytes)))?;
        Ok(())
    }

    /// Pays for looking at `bytes`; the 64 more stand for the call itself.
    pub(super) fn work(&mut self, bytes: usize) -> Result<(), Error> {
        self.work_left = self
            .work_left
            .checked_sub(bytes.saturating_add(64))
            .ok_or_else(|| limit(format!("{} bytes of work", self.limits.work_bytes)))?;
        Ok(())
    }

    /// Pays for a list of `len` items.
    pub(super) fn make_list(&mut self, len: usize) -> Result<(), Error> {
        self.make(len.saturating_mul(32))
    }

    /// Pays for `bytes` of output.
    pub(super) fn output(&mut self, bytes: usize) -> Result<(), Error> {
        self.output_left = self
            .output_left
            .checked_sub(bytes)
            .ok_or_else(|| limit(format!("{} bytes of output", self.limits.output_bytes)))?;
        Ok(())
    }
}

/// Name under which a rendering's fresh meter waits in the template's variables. No template can
/// spell it.
pub(super) const METER_VARIABLE: &str = "\u{0}meter";

/// A meter as a template variable: the way into a state that the engine creates.
#[derive(Debug)]
pub(super) struct MeterSeed(pub(super) Meter);

impl Object for MeterSeed {}

/// The meter of the rendering in progress.
pub(super) fn meter<'s>(state: &'s mut State<'_, '_>) -> &'s mut Meter {
    if state.get_extension::<Meter>().is_none() {
        let seed = state.lookup(METER_VARIABLE);
        let meter = seed
            .as_ref()
            .and_then(|value| value.downcast_object_ref::<MeterSeed>())
            .map_or_else(
                || Meter::new(Limits::default(), CivilTime::UNIX_EPOCH),
                |seed| seed.0.clone(),
            );
        return state.get_or_insert_extension(meter);
    }
    state
        .get_extension_mut::<Meter>()
        .expect("it was there a line ago")
}
