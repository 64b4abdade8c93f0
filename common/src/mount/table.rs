//! Our mounts in the kernel's table (/proc/self/mountinfo), and their end.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::mount::{UnmountFlags, unmount};

use super::{Error, SOURCE, work};

/// A line of the table that is one of ours.
#[derive(Debug, PartialEq, Eq)]
struct Ours {
    point: PathBuf,
    work: Option<PathBuf>,
}

/// Unmounts the union at `point` and removes the work directory that was made for it.
///
/// # Errors
/// Nothing of ours is mounted there; what the system says.
pub fn unmount_union(point: &Path) -> Result<(), Error> {
    let real = fs::canonicalize(point)
        .map_err(|error| Error::directory(point, "cannot unmount it", error))?;
    let table = fs::read("/proc/self/mountinfo")
        .map_err(|error| Error::directory("/proc/self/mountinfo", "cannot read it", error))?;
    // The last one covers the others.
    let mut ours =
        table.split(|byte| *byte == b'\n').filter_map(parse).filter(|ours| ours.point == real);
    let ours = ours.next_back().ok_or_else(|| Error::NotOurs { path: point.to_owned() })?;
    unmount(&real, UnmountFlags::NOFOLLOW)
        .map_err(|errno| Error::directory(point, "cannot unmount it", errno))?;
    let Some(path) = ours.work else { return Ok(()) };
    let removed = match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if work::is_ours(name) => work::remove_in(parent, name),
        _ => Ok(()),
    };
    removed.map_err(|error| Error::directory(path, "cannot remove the work directory", error))
}

/// A line of mountinfo (proc_pid_mountinfo(5)), if it is an overlay of ours.
fn parse(line: &[u8]) -> Option<Ours> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let separator = fields.iter().position(|field| *field == b"-")?;
    let [kind, source, options, ..] = fields.get(separator + 1..)? else { return None };
    if *kind != b"overlay" || *source != SOURCE.as_bytes() {
        return None;
    }
    let work = options
        .split(|byte| *byte == b',')
        .find_map(|option| option.strip_prefix(b"workdir="))
        .map(|work| PathBuf::from(OsString::from_vec(unescape(work))));
    let point = PathBuf::from(OsString::from_vec(unescape(fields.get(4)?)));
    Some(Ours { point, work })
}

/// Undoes the kernel's `\ooo`.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        if let (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) =
            (first, tail)
        {
            out.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
            rest = tail;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Ours, parse, unescape};

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescape(b"a\\040b\\134c\\09\\"), b"a b\\c\\09\\");
    }

    #[test]
    fn our_overlays_are_told_from_others() {
        let ours = b"1 2 0:3 / /mnt/a\\040b rw,relatime - overlay union-mount rw,upperdir=/u,\
                     workdir=/t/.union-mount-work.1.0,index=off";
        let expected =
            Ours { point: "/mnt/a b".into(), work: Some("/t/.union-mount-work.1.0".into()) };
        assert_eq!(parse(ours), Some(expected));
        assert_eq!(parse(b"1 2 0:3 / /mnt rw - overlay overlay rw"), None);
        assert_eq!(parse(b""), None);
    }
}
