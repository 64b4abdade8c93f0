//! A floor for throughput: a peer that keeps a connection alive with a byte now and then
//! is given up, as curl's `--speed-limit` has it.
//!
//! Time counts only while we wait for the peer, so that a slow disk of ours is not its
//! fault; and not before the first byte of an answer, which a registry may need to think
//! about (that is bounded in [`super::http`]). Measured under TLS, so handshakes, headers
//! and bodies are all covered.

use std::io;
use std::time::{Duration, Instant};

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Added to each wait, since a timer may end a little early.
const TIMER: Duration = Duration::from_millis(1);

/// The least that a peer has to send or take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Bytes a second; 0 for no floor.
    pub limit_bytes: u64,
    /// How long it has to be slower to be given up.
    pub time: Duration,
}

/// 1000 bytes a second, averaged over a minute.
impl Default for Pace {
    fn default() -> Self {
        Self { limit_bytes: 1000, time: Duration::from_secs(60) }
    }
}

/// A peer that is slower than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("slower than {} bytes a second for {} s", .0.limit_bytes, .0.time.as_secs())]
pub struct TooSlow(Pace);

/// Puts the floor under connections.
#[derive(Debug)]
pub(super) struct Paced(pub(super) Pace);

impl<In: Transport> Connector<In> for Paced {
    type Out = Measured<In>;

    fn connect(
        &self,
        _details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(chained.map(|inner| Measured {
            inner,
            is_thinking: true,
            received: Meter::new(self.0),
            sent: Meter::new(self.0),
        }))
    }
}

/// A connection that is measured.
#[derive(Debug)]
pub(super) struct Measured<T> {
    inner: T,
    /// We have asked, and no byte of an answer has come.
    is_thinking: bool,
    received: Meter,
    sent: Meter,
}

impl<T: Transport> Transport for Measured<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.is_thinking = true;
        let start = Instant::now();
        let part = self.until_slow(timeout, amount);
        let sent = self.inner.transmit_output(amount, part.unwrap_or(timeout));
        if matches!(sent, Err(ureq::Error::Timeout(_))) && part.is_some() {
            self.sent.add(start.elapsed(), amount)?;
        }
        sent?;
        self.sent.add(start.elapsed(), amount)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let before = self.inner.buffers().input().len();
        let start = Instant::now();
        loop {
            let turn = Instant::now();
            let (rest, is_part) = self.until_judged(timeout, start.elapsed());
            let read = self.inner.await_input(rest);
            let waited = if self.is_thinking { Duration::ZERO } else { turn.elapsed() };
            match read {
                // Nothing came. A peer that was fast enough before gets more time.
                Err(ureq::Error::Timeout(_)) if is_part => self.received.add(waited, 0)?,
                read => {
                    let is_more = read?;
                    self.is_thinking = false;
                    let len = self.inner.buffers().input().len().saturating_sub(before);
                    self.received.add(waited, len)?;
                    return Ok(is_more);
                }
            }
        }
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

impl<T> Measured<T> {
    /// Returns the rest of a timeout of which `spent` is over, and true if the rest was
    /// shortened to the time at which a silent peer is too slow.
    fn until_judged(&self, timeout: NextTimeout, spent: Duration) -> (NextTimeout, bool) {
        let rest = |time: ureq::unversioned::transport::time::Duration| match time {
            time if time.is_not_happening() => time,
            time => time.saturating_sub(spent).into(),
        };
        let (after, per_read) = (rest(timeout.after), timeout.per_read.map(rest));
        let whole = NextTimeout { after, per_read, ..timeout };
        let pace = self.received.pace;
        if self.is_thinking || pace.limit_bytes == 0 {
            return (whole, false);
        }
        let left = pace.time.saturating_sub(self.received.waited) + TIMER;
        match left < per_read.map_or(*after, |read| (*read).min(*after)) {
            true => (NextTimeout { per_read: Some(left.into()), ..whole }, true),
            false => (whole, false),
        }
    }

    /// Returns the timeout, shortened to the time after which a peer that has not taken
    /// `amount` bytes is too slow; `None` if that is not shorter.
    fn until_slow(&self, timeout: NextTimeout, amount: usize) -> Option<NextTimeout> {
        let Meter { pace, waited, len_bytes } = self.sent;
        let len_bytes = len_bytes.saturating_add(amount as u64);
        let allowed = len_bytes.saturating_mul(1000).checked_div(pace.limit_bytes)?;
        let allowed = Duration::from_millis(allowed.saturating_add(1)).max(pace.time);
        let left = allowed.saturating_sub(waited) + TIMER;
        let per_write =
            timeout.per_write.map_or(*timeout.after, |write| (*write).min(*timeout.after));
        (left < per_write).then_some(NextTimeout { per_write: Some(left.into()), ..timeout })
    }
}

/// What has passed in one direction since the last judgement.
#[derive(Debug)]
struct Meter {
    pace: Pace,
    waited: Duration,
    len_bytes: u64,
}

impl Meter {
    fn new(pace: Pace) -> Self {
        Self { pace, waited: Duration::ZERO, len_bytes: 0 }
    }

    fn add(&mut self, waited: Duration, len_bytes: usize) -> Result<(), ureq::Error> {
        self.waited += waited;
        self.len_bytes = self.len_bytes.saturating_add(len_bytes as u64);
        if self.waited < self.pace.time {
            return Ok(());
        }
        let least = u128::from(self.pace.limit_bytes) * self.waited.as_millis() / 1000;
        if u128::from(self.len_bytes) < least {
            return Err(io::Error::new(io::ErrorKind::TimedOut, TooSlow(self.pace)).into());
        }
        *self = Self::new(self.pace);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Measured, Meter, Pace, TIMER};
    use std::time::Duration;
    use ureq::unversioned::transport::NextTimeout;

    #[test]
    fn a_timeout_is_not_longer_for_being_cut() {
        let second = Duration::from_secs(1);
        let meter = || Meter::new(Pace { limit_bytes: 100, time: 3 * second });
        let mut measured =
            Measured { inner: (), is_thinking: false, received: meter(), sent: meter() };
        let timeout = NextTimeout { after: (10 * second).into(), ..NextTimeout::default() };
        let (cut, is_part) = measured.until_judged(timeout, Duration::ZERO);
        assert!(is_part && cut.per_read.is_some_and(|read| *read == 3 * second + TIMER));
        let (rest, is_part) = measured.until_judged(timeout, 9 * second);
        assert!(!is_part && *rest.after == second);
        measured.is_thinking = true;
        assert_eq!(*measured.until_judged(timeout, 9 * second).0.after, second);
        let never = measured.until_judged(NextTimeout::default(), 9 * second).0;
        assert!(never.after.is_not_happening());
    }

    #[test]
    fn the_average_while_we_wait_decides() {
        let second = Duration::from_secs(1);
        let pace = Pace { limit_bytes: 100, time: 3 * second };
        let mut meter = Meter::new(pace);
        // Our own time does not count, and a burst makes up for a pause.
        for _ in 0..100 {
            meter.add(Duration::ZERO, 0).unwrap();
            meter.add(second, 50).unwrap();
            meter.add(second, 0).unwrap();
            meter.add(second, 250).unwrap();
        }
        meter.add(2 * second, 299).unwrap();
        assert!(meter.add(second, 0).is_err());
        // No time passes while nobody waits, and no floor is no floor.
        let mut meter = Meter::new(Pace { limit_bytes: 0, ..pace });
        meter.add(1000 * second, 0).unwrap();
    }
}
