//! Whether two files of equal metadata must be read to know that they are equal.
//!
//! A file that was written to has another time of modification than the file that
//! it was a copy of, unless
//!
//! - somebody set the time. Archives, and builds that bound all times
//!   (`SOURCE_DATE_EPOCH`), do it everywhere, and leave whole seconds: two files of
//!   one length and one such time are as likely two versions as two copies. Nothing
//!   else in an inode tells: its ctime is when it was unpacked or copied, whatever it
//!   holds;
//! - the clock did not tick in between. File systems stamp with a coarse clock, and a
//!   script copies and writes faster than that (git's "racily clean" entries). Then
//!   the copy was made, or the later of the two written, within a tick of the time
//!   that both show, and a ctime says so.
//!
//! A fraction of a second on which two files agree and that neither was stamped with
//! just now was copied from one to the other by somebody who keeps times, and is
//! taken for what it says, as rsync(1) and git do. Who gives a changed file its old
//! time back to the nanosecond wants [`ContentPolicy::Always`].

use super::options::ContentPolicy;
use crate::layer::inode::Inode;
use crate::time::Timestamp;

/// Longer than any tick of the clock that files are stamped with (10 ms for kernels
/// that tick 100 times a second).
const TICK_NANOSECONDS: i128 = 20_000_000;

/// Whether the content of two files of equal metadata must be compared.
pub(super) fn must_read(policy: ContentPolicy, one: &Inode, other: &Inode) -> bool {
    match policy {
        ContentPolicy::Always => true,
        ContentPolicy::Never => false,
        ContentPolicy::Auto => !times_tell(one, other),
    }
}

fn times_tell(one: &Inode, other: &Inode) -> bool {
    // They may differ where only whole seconds are compared.
    let mtime = one.mtime;
    let last_stamp = one.ctime.max(other.ctime);
    let age = nanoseconds(last_stamp) - nanoseconds(mtime);
    mtime == other.mtime && mtime.nanoseconds != 0 && age >= TICK_NANOSECONDS
}

fn nanoseconds(time: Timestamp) -> i128 {
    i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::{ContentPolicy, must_read};
    use crate::layer::inode::{Inode, InodeId};
    use crate::time::Timestamp;

    /// A file modified `nanoseconds` after a second and last touched `age` later.
    fn file(nanoseconds: u32, age: u32) -> Inode {
        let mtime = Timestamp { seconds: 1_000, nanoseconds };
        let ctime = Timestamp { seconds: 1_000, nanoseconds: nanoseconds + age };
        Inode {
            kind: rustix::fs::FileType::RegularFile,
            mode: 0o644,
            uid: 0,
            gid: 0,
            device: (0, 0),
            len_bytes: 1,
            mtime,
            ctime,
            id: InodeId { device: (8, 1), number: 1 },
            links: 1,
            is_mount_point: false,
            recorded: None,
        }
    }

    fn reads(one: Inode, other: Inode) -> bool {
        must_read(ContentPolicy::Auto, &one, &other)
    }

    #[test]
    fn a_fraction_of_a_second_tells() {
        assert!(!reads(file(5, 0), file(5, 100_000_000)));
        assert!(!reads(file(5, 100_000_000), file(5, 0)));
    }

    #[test]
    fn a_whole_second_does_not() {
        assert!(reads(file(0, 100_000_000), file(0, 500_000_000)));
    }

    #[test]
    fn a_copy_within_a_tick_may_have_been_written_to() {
        assert!(reads(file(5, 0), file(5, 4_000_000)));
    }

    #[test]
    fn a_time_in_the_future_was_set_by_somebody() {
        let mut other = file(5, 0);
        other.ctime = Timestamp { seconds: 1, nanoseconds: 0 };
        assert!(reads(other, other));
    }

    #[test]
    fn the_policy_decides_first() {
        let (one, other) = (file(0, 0), file(5, 100_000_000));
        assert!(!must_read(ContentPolicy::Never, &one, &one));
        assert!(must_read(ContentPolicy::Always, &other, &other));
    }
}
