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
        self.inner.transmit_output(amount, timeout)?;
        self.sent.add(start.elapsed(), amount)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let before = self.inner.buffers().input().len();
        let start = Instant::now();
        let is_more = self.inner.await_input(timeout)?;
        let waited = if self.is_thinking { Duration::ZERO } else { start.elapsed() };
        self.is_thinking = false;
        let len = self.inner.buffers().input().len().saturating_sub(before);
        self.received.add(waited, len)?;
        Ok(is_more)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
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
    use super::{Meter, Pace};
    use std::time::Duration;

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
