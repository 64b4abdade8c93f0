//! Patience: how often something is tried again, and how long is waited in between.

use std::thread;
use std::time::Duration;

use common::cli::Failure;
use common::message;

use super::Error;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A registry that wants more than this has time that a command has not.
const LONGEST_ASKED: Duration = Duration::from_secs(300);
/// What makes up for a failure.
const PROGRESS_LEN_BYTES: u64 = 1 << 20;

/// Counts failures in a row.
#[derive(Debug)]
pub(super) struct Patience {
    retries: u32,
    left: u32,
    pause: Duration,
    progress: u64,
}

impl Patience {
    pub(super) fn new(retries: u32) -> Self {
        Self { retries, left: retries, pause: FIRST_PAUSE, progress: 0 }
    }

    /// Notes that bytes got through: enough of them, and the count begins anew.
    pub(super) fn progressed(&mut self, len_bytes: u64) {
        self.progress += len_bytes;
        if self.progress >= PROGRESS_LEN_BYTES {
            *self = Self::new(self.retries);
        }
    }

    /// Waits until it is time to try again, or gives the error back where that is in vain.
    pub(super) fn after(&mut self, error: Error) -> Result<(), Error> {
        let pause = error.retry_after().unwrap_or(self.pause);
        if !error.is_passing() || self.left == 0 || pause > LONGEST_ASKED {
            return Err(error);
        }
        self.left -= 1;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let line = Failure::from(error).line();
        message::verbose(format_args!("{line}: trying again in {} ms", pause.as_millis()));
        thread::sleep(pause);
        Ok(())
    }

    /// Tries until it works or there is no point in it.
    pub(super) fn try_again<T>(
        mut self,
        mut attempt: impl FnMut() -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            match attempt() {
                Err(error) => self.after(error)?,
                done => return done,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PROGRESS_LEN_BYTES, Patience};
    use crate::Error;
    use std::time::Duration;

    fn busy(retry_after: Option<Duration>) -> Error {
        Error::Status { what: "x".into(), status: 429, detail: String::new(), retry_after }
    }

    #[test]
    fn patience_ends_and_progress_renews_it() {
        let at_once = || busy(Some(Duration::ZERO));
        let mut patience = Patience::new(2);
        assert!(patience.after(at_once()).is_ok());
        assert!(patience.after(at_once()).is_ok());
        patience.progressed(PROGRESS_LEN_BYTES - 1);
        assert!(patience.after(at_once()).is_err());
        patience.progressed(1);
        assert!(patience.after(at_once()).is_ok());
    }

    #[test]
    fn what_lasts_is_not_tried_again() {
        let missing = Error::Missing { what: "x".into(), detail: String::new() };
        assert!(Patience::new(9).after(missing).is_err());
        assert!(Patience::new(9).after(busy(Some(Duration::from_secs(3600)))).is_err());
    }
}
