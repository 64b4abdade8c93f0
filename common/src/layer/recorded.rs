//! Owners and devices that an ordinary user's files only record, because the user can
//! neither give them away nor make them.
//!
//! A file or directory has the attribute `user.layerutils.owner` with the value
//! `UID:GID`, or for a device, which is an empty file, `UID:GID:char-MAJOR-MINOR` or
//! `UID:GID:block-MAJOR-MINOR`. The permission bits are the file's own, so that no
//! chmod(2) has to be watched: this is why `user.containers.override_stat`, which
//! repeats them, is read elsewhere and not written here.
//!
//! The kernel allows no such attribute on links, FIFOs and sockets (xattr(7)). They
//! record their owner in the time of last access, which no layer holds: in the years
//! from 2242 to 2378, with 24 bits of each id and a mark. Like an attribute it belongs to
//! the inode, so it follows renames and links and is copied up, and no inode inherits it.
//! A `relatime` mount, the default, leaves alone a time of access that is in the future.

use rustix::fs::FileType;

use crate::time::Timestamp;

/// The attribute.
pub const ATTRIBUTE: &[u8] = b"user.layerutils.owner";

/// The first second of the times that record an owner.
const FIRST_SECOND: i64 = 1 << 33;

/// The bits of an id that fit.
const ID_BITS: u32 = 24;

/// The low bits of the nanoseconds, by which such a time is known.
const MARK: u32 = 0x15a7;
const MARK_BITS: u32 = 13;

/// The owner of a file and the device that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The device that an empty file stands for.
    pub device: Option<Device>,
}

/// A device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// A character device, major and minor number.
    Char(u32, u32),
    /// A block device, major and minor number.
    Block(u32, u32),
}

impl Record {
    /// The record of an owner.
    #[must_use]
    pub const fn owner(uid: u32, gid: u32) -> Self {
        Self { uid, gid, device: None }
    }

    /// Whether it says no more than a file without a record: that it is root's.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::owner(0, 0)
    }

    /// The value of the attribute.
    #[must_use]
    pub fn value(&self) -> Vec<u8> {
        let Self { uid, gid, device } = self;
        match device {
            None => format!("{uid}:{gid}"),
            Some(Device::Char(major, minor)) => format!("{uid}:{gid}:char-{major}-{minor}"),
            Some(Device::Block(major, minor)) => format!("{uid}:{gid}:block-{major}-{minor}"),
        }
        .into_bytes()
    }

    /// Reads the value of the attribute; `None` if it is malformed.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut fields = std::str::from_utf8(value).ok()?.splitn(3, ':');
        let (uid, gid) = (id(fields.next()?)?, id(fields.next()?)?);
        let device = match fields.next() {
            None => None,
            Some(text) => {
                let (kind, numbers) = text.split_once('-')?;
                let (major, minor) = numbers.split_once('-')?;
                let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
                match kind {
                    "char" => Some(Device::Char(major, minor)),
                    "block" => Some(Device::Block(major, minor)),
                    _ => return None,
                }
            }
        };
        Some(Self { uid, gid, device })
    }

    /// Reads the record of a file that has no attribute, from its mode and its time of last
    /// access; `None` if it may have attributes, or records nothing.
    #[must_use]
    pub fn in_time(mode: u32, seconds: i64, nanoseconds: impl TryInto<u32>) -> Option<Self> {
        let nanoseconds = nanoseconds.try_into().unwrap_or(0);
        has_no_attributes(mode)
            .then_some(Timestamp { seconds, nanoseconds })
            .and_then(Self::of_access_time)
    }

    /// The time of last access that records this owner of a link, FIFO or socket; `None`
    /// if the ids have too many bits.
    #[must_use]
    pub fn access_time(&self) -> Option<Timestamp> {
        if self.uid >> ID_BITS != 0 || self.gid >> ID_BITS != 0 {
            return None;
        }
        let ids = i64::from(self.uid) << ID_BITS | i64::from(self.gid);
        let low = u32::try_from(ids & 0xffff).unwrap_or(0);
        let nanoseconds = low << MARK_BITS | MARK;
        Some(Timestamp { seconds: FIRST_SECOND + (ids >> 16), nanoseconds })
    }

    /// Reads a time of last access; `None` if it records no owner.
    fn of_access_time(time: Timestamp) -> Option<Self> {
        let high = time.seconds.checked_sub(FIRST_SECOND).filter(|high| *high >= 0)?;
        if high >> 32 != 0 || time.nanoseconds & ((1 << MARK_BITS) - 1) != MARK {
            return None;
        }
        let ids = high << 16 | i64::from(time.nanoseconds >> MARK_BITS);
        let uid = u32::try_from(ids >> ID_BITS).ok()?;
        let gid = u32::try_from(ids & ((1 << ID_BITS) - 1)).ok()?;
        Some(Self::owner(uid, gid))
    }
}

/// Returns true if the kernel allows no `user` attribute on files of this mode.
#[must_use]
pub fn has_no_attributes(mode: u32) -> bool {
    matches!(FileType::from_raw_mode(mode), FileType::Symlink | FileType::Fifo | FileType::Socket)
}

/// An id; the largest number stands for none.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Device, Record};
    use crate::time::Timestamp;

    #[test]
    fn an_attribute_comes_back_as_it_was() {
        for device in [None, Some(Device::Char(5, 1)), Some(Device::Block(8, 1_048_575))] {
            let record = Record { uid: 33, gid: 4_294_967_294, device };
            assert_eq!(Record::parse(&record.value()), Some(record));
        }
        for bad in ["", "1", "1:", "1:x", "1:2:", "1:2:file", "1:2:char-1", "4294967295:0", "-1:0"]
        {
            assert_eq!(Record::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_time_comes_back_as_it_was_and_no_usual_time_is_a_record() {
        for (uid, gid) in [(0, 0), (33, 65_534), (0xff_ffff, 0), (1000, 0xff_ffff)] {
            let time = Record::owner(uid, gid).access_time().unwrap();
            assert!(time.nanoseconds < 1_000_000_000 && time.seconds < (1 << 34) - (1 << 31));
            assert_eq!(Record::of_access_time(time), Some(Record::owner(uid, gid)));
        }
        assert_eq!(Record::owner(1 << 24, 0).access_time(), None);
        for (seconds, nanoseconds) in
            [(0, 0), (1_700_000_000, 0x15a7), (i64::MIN, 0x15a7), (i64::MAX, 0x15a7), (1 << 33, 0)]
        {
            assert_eq!(Record::of_access_time(Timestamp { seconds, nanoseconds }), None);
        }
    }
}
