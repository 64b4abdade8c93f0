//! How large a layer may become: the one place that decides it.
//!
//! A few kilobytes can inflate to more than any disk holds. The default allows whatever
//! honest layers do: gzip makes 891 bytes of zeros from one, and zstd of a sparse file
//! tens of thousands, but then of a file that is rarely larger than 64 GiB.

use std::str::FromStr;

use crate::human::{count, parse_size};

/// The size that every layer may grow to, in bytes.
const USUAL_LEN_BYTES: u64 = 64 << 30;

/// The size that a layer may grow to, in multiples of its stored size, if that is more.
const USUAL_RATIO: u64 = 1100;

/// The most that a layer may grow to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MaxSize {
    /// 64 GiB or 1,100 times the stored size, whichever is more.
    #[default]
    Usual,
    /// This many bytes.
    Bytes(u64),
}

impl MaxSize {
    /// The limit in bytes for a layer that is stored in `stored_bytes`.
    #[must_use]
    pub fn limit(self, stored_bytes: u64) -> u64 {
        match self {
            Self::Usual => USUAL_LEN_BYTES.max(stored_bytes.saturating_mul(USUAL_RATIO)),
            Self::Bytes(limit) => limit,
        }
    }

    /// The growth of a layer that is stored in `stored_bytes`, if that is known.
    #[must_use]
    pub fn growth(self, stored_bytes: Option<u64>) -> Growth {
        let stored_bytes = stored_bytes.unwrap_or(0);
        Growth { max_size: self, stored_bytes, len_bytes: 0 }
    }
}

impl FromStr for MaxSize {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, InvalidSize> {
        parse_size(text).map(Self::Bytes).ok_or(InvalidSize)
    }
}

/// A text that is not a number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a number of bytes (K, M, G and T are understood)")]
pub struct InvalidSize;

/// A layer that grows beyond its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the layer grows to more than the limit of {}", count(*.limit, "byte", "bytes"))]
pub struct TooLarge {
    /// The limit in bytes.
    pub limit: u64,
}

/// How large one layer has become so far.
#[derive(Debug, Clone)]
pub struct Growth {
    max_size: MaxSize,
    stored_bytes: u64,
    len_bytes: u64,
}

impl Growth {
    /// Notes that `stored_bytes` have been read of the layer as it is stored, which
    /// counts where its size was not known from the start.
    pub fn has_read(&mut self, stored_bytes: u64) {
        self.stored_bytes = self.stored_bytes.max(stored_bytes);
    }

    /// Counts `len_bytes` more.
    ///
    /// # Errors
    /// More than the limit.
    pub fn add(&mut self, len_bytes: u64) -> Result<(), TooLarge> {
        self.len_bytes = self.len_bytes.saturating_add(len_bytes);
        let limit = self.max_size.limit(self.stored_bytes);
        if self.len_bytes > limit { Err(TooLarge { limit }) } else { Ok(()) }
    }

    /// The same limit, with nothing counted: for another reading of the layer.
    #[must_use]
    pub fn afresh(&self) -> Self {
        Self { len_bytes: 0, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::{MaxSize, TooLarge};

    #[test]
    fn small_layers_may_grow_to_64_gib_and_large_ones_to_1100_times_their_size() {
        assert_eq!(MaxSize::Usual.limit(2000), 64 << 30);
        assert_eq!(MaxSize::Usual.limit(1 << 30), 1100 << 30);
        assert_eq!(MaxSize::Usual.limit(u64::MAX), u64::MAX);
        assert_eq!(MaxSize::Bytes(5).limit(1 << 30), 5);
    }

    #[test]
    fn a_stream_of_unknown_size_may_grow_with_what_was_read_of_it() {
        let mut growth = MaxSize::Usual.growth(None);
        assert_eq!(growth.add(64 << 30), Ok(()));
        assert_eq!(growth.clone().add(1), Err(TooLarge { limit: 64 << 30 }));
        growth.has_read(1 << 30);
        growth.has_read(7);
        assert_eq!(growth.add(1036 << 30), Ok(()));
        assert_eq!(growth.add(1), Err(TooLarge { limit: 1100 << 30 }));
        assert_eq!(growth.afresh().add(1100 << 30), Ok(()));
        assert_eq!(MaxSize::Usual.growth(Some(1 << 30)).add(1100 << 30), Ok(()));
        assert!(MaxSize::Usual.growth(None).add(u64::MAX).is_err());
    }

    #[test]
    fn a_size_is_a_number_of_bytes() {
        assert_eq!("1G".parse(), Ok(MaxSize::Bytes(1 << 30)));
        assert!("-1".parse::<MaxSize>().is_err());
    }
}
