//! Points in time as archives and images hold them, and the one clock.
//!
//! `SOURCE_DATE_EPOCH` (reproducible-builds.org) stands in for the clock where
//! it is set, and is the upper bound for times that go into a layer.

use std::fmt;

/// A point in time: whole seconds since the epoch, rounded down, and the
/// nanoseconds after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z; negative before it.
    pub seconds: i64,
    /// Nanoseconds after `seconds`, 0 to 999,999,999.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self::from_seconds(0);

    /// A whole second.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0 }
    }

    /// Parses RFC 3339, as OCI's `created` fields are written.
    ///
    /// # Errors
    /// A text that is not RFC 3339, or out of range.
    pub fn parse_rfc3339(text: &str) -> Result<Self, InvalidTime> {
        let parsed: jiff::Timestamp = text.parse().map_err(|_| InvalidTime(text.to_owned()))?;
        Ok(parsed.into())
    }

    /// Parses a date as HTTP has it: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section
    /// 5.6.7), of which the two old forms are not understood.
    ///
    /// # Errors
    /// Another text.
    pub fn parse_http_date(text: &str) -> Result<Self, InvalidTime> {
        let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim());
        Ok(parsed.map_err(|_| InvalidTime(text.to_owned()))?.into())
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(parsed: jiff::Timestamp) -> Self {
        let (mut seconds, mut nanoseconds) = (parsed.as_second(), parsed.subsec_nanosecond());
        if nanoseconds < 0 {
            seconds -= 1;
            nanoseconds += 1_000_000_000;
        }
        Self { seconds, nanoseconds: nanoseconds.unsigned_abs() }
    }
}

/// RFC 3339 in UTC, with as many fractional digits as there are.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = i32::try_from(self.nanoseconds).unwrap_or(0);
        match jiff::Timestamp::new(self.seconds, nanoseconds) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "@{}", self.seconds),
        }
    }
}

/// A text that is not a time.
#[derive(Debug, thiserror::Error)]
#[error("not a time: '{}'", crate::name::show(.0))]
pub struct InvalidTime(String);

/// A bad `SOURCE_DATE_EPOCH`.
#[derive(Debug, thiserror::Error)]
#[error("SOURCE_DATE_EPOCH: not a number of seconds since 1970: '{}'", crate::name::show(.0))]
pub struct InvalidEpoch(String);

/// The value of `SOURCE_DATE_EPOCH`, if it is set and not empty.
///
/// # Errors
/// A value that is not a non-negative number of seconds.
pub fn source_date_epoch() -> Result<Option<Timestamp>, InvalidEpoch> {
    match std::env::var_os("SOURCE_DATE_EPOCH") {
        Some(value) => parse_epoch(&value.to_string_lossy()),
        None => Ok(None),
    }
}

/// The time that a value of `SOURCE_DATE_EPOCH` stands for, `None` if it is empty.
///
/// # Errors
/// As [`source_date_epoch`].
pub fn parse_epoch(text: &str) -> Result<Option<Timestamp>, InvalidEpoch> {
    if text.is_empty() {
        return Ok(None);
    }
    let invalid = || InvalidEpoch(text.to_owned());
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid());
    }
    let seconds: i64 = text.parse().map_err(|_| invalid())?;
    jiff::Timestamp::from_second(seconds).map_err(|_| invalid())?;
    Ok(Some(Timestamp::from_seconds(seconds)))
}

/// Now, or `SOURCE_DATE_EPOCH` where it is set: the time for what we create.
///
/// # Errors
/// A bad `SOURCE_DATE_EPOCH`.
pub fn now() -> Result<Timestamp, InvalidEpoch> {
    Ok(source_date_epoch()?.unwrap_or_else(clock))
}

/// The system's clock, whatever `SOURCE_DATE_EPOCH` says: for ages ("2 hours ago").
#[must_use]
pub fn clock() -> Timestamp {
    let now = jiff::Timestamp::now();
    Timestamp { seconds: now.as_second(), nanoseconds: now.subsec_nanosecond().unsigned_abs() }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn times_before_the_epoch_round_down() {
        let time = Timestamp::parse_rfc3339("1969-12-31T23:59:58.5Z").unwrap();
        assert_eq!(time, Timestamp { seconds: -2, nanoseconds: 500_000_000 });
        assert_eq!(time.to_string(), "1969-12-31T23:59:58.5Z");
    }

    #[test]
    fn offsets_are_folded_into_utc() {
        let time = Timestamp::parse_rfc3339("2024-02-03T04:05:06+01:00").unwrap();
        assert_eq!(time.to_string(), "2024-02-03T03:05:06Z");
    }
}
