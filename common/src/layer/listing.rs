//! Entries shown to people and to programs.

use serde_json::{Map, Value, json};

use crate::json::{base64, insert_name};
use crate::tar::{Entry, Kind};

/// What an entry is, in one word.
#[must_use]
pub fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink { .. } => "symlink",
        Kind::HardLink { .. } => "hardlink",
        Kind::CharDevice { .. } => "chardev",
        Kind::BlockDevice { .. } => "blockdev",
        Kind::Fifo => "fifo",
    }
}

/// Adds all that an entry records but its path: `type`, `mode` (four octal
/// digits), `uid`, `gid`, `mtime` (RFC 3339), and where there are such `size`,
/// `target`, `major`, `minor`, and `xattrs` with their values in base64.
pub fn insert_entry(object: &mut Map<String, Value>, entry: &Entry) {
    object.insert("type".into(), kind_name(&entry.kind).into());
    object.insert("mode".into(), format!("{:04o}", entry.mode).into());
    object.insert("uid".into(), entry.uid.into());
    object.insert("gid".into(), entry.gid.into());
    object.insert("mtime".into(), entry.mtime.to_string().into());
    match &entry.kind {
        Kind::File => {
            object.insert("size".into(), entry.len_bytes.into());
        }
        Kind::Symlink { target } | Kind::HardLink { target } => {
            insert_name(object, "target", target);
        }
        Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } => {
            object.insert("major".into(), json!(major));
            object.insert("minor".into(), json!(minor));
        }
        Kind::Directory | Kind::Fifo => {}
    }
    if !entry.xattrs.is_empty() {
        let values = entry.xattrs.iter().map(|(name, value)| {
            (String::from_utf8_lossy(name).into_owned(), Value::from(base64(value)))
        });
        object.insert("xattrs".into(), values.collect::<Map<_, _>>().into());
    }
}

/// An entry on a line as `tar -tv` prints it: type and mode (with `+` behind it where
/// there are extended attributes), owner, size or device, time in UTC, name, target,
/// and the names of the attributes. Names are raw bytes.
#[must_use]
pub fn long_line(entry: &Entry) -> Vec<u8> {
    let mark = if entry.xattrs.is_empty() { ' ' } else { '+' };
    let size = match &entry.kind {
        Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } => {
            format!("{major},{minor}")
        }
        _ => entry.len_bytes.to_string(),
    };
    let owner = format!("{}/{}", entry.uid, entry.gid);
    let width = 20_usize.saturating_sub(owner.len());
    let mode = mode_text(entry);
    let time = time_text(entry);
    let mut line = format!("{mode}{mark} {owner} {size:>width$} {time} ").into_bytes();
    line.extend_from_slice(&entry.path);
    match &entry.kind {
        Kind::Symlink { target } => line.extend([b" -> ", target.as_slice()].concat()),
        Kind::HardLink { target } => line.extend([b" link to ", target.as_slice()].concat()),
        _ => {}
    }
    if !entry.xattrs.is_empty() {
        let names: Vec<&[u8]> = entry.xattrs.keys().map(Vec::as_slice).collect();
        line.extend([b" [", names.join(&b' ').as_slice(), b"]"].concat());
    }
    line
}

fn mode_text(entry: &Entry) -> String {
    let kind = match entry.kind {
        Kind::File => '-',
        Kind::Directory => 'd',
        Kind::Symlink { .. } => 'l',
        Kind::HardLink { .. } => 'h',
        Kind::CharDevice { .. } => 'c',
        Kind::BlockDevice { .. } => 'b',
        Kind::Fifo => 'p',
    };
    let mode = entry.mode;
    let triple = |shift: u32, special: u32, set: char, alone: char| {
        let bit = |mask: u32, letter| if mode >> shift & mask != 0 { letter } else { '-' };
        let execute = match (mode & special != 0, mode >> shift & 1 != 0) {
            (false, _) => bit(1, 'x'),
            (true, true) => set,
            (true, false) => alone,
        };
        [bit(4, 'r'), bit(2, 'w'), execute]
    };
    let triples =
        [triple(6, 0o4000, 's', 'S'), triple(3, 0o2000, 's', 'S'), triple(0, 0o1000, 't', 'T')];
    std::iter::once(kind).chain(triples.into_iter().flatten()).collect()
}

/// `2026-11-21 08:30:00`, or seconds where a calendar has no such year.
fn time_text(entry: &Entry) -> String {
    let whole = crate::time::Timestamp::from_seconds(entry.mtime.seconds);
    whole.to_string().trim_end_matches('Z').replacen('T', " ", 1)
}

#[cfg(test)]
mod tests {
    use super::{insert_entry, long_line};
    use crate::tar::{Entry, Kind, Xattrs};
    use crate::time::Timestamp;
    use serde_json::{Map, json};

    #[test]
    fn an_entry_is_shown_with_what_its_type_has() {
        let mut entry = Entry {
            path: b"dev/x".to_vec(),
            kind: Kind::CharDevice { major: 1, minor: 3 },
            mode: 0o666,
            uid: 0,
            gid: 5,
            mtime: Timestamp { seconds: 1, nanoseconds: 500_000_000 },
            len_bytes: 0,
            xattrs: Xattrs::from([(b"user.a".to_vec(), b"\x00b".to_vec())]),
        };
        let mut object = Map::new();
        insert_entry(&mut object, &entry);
        let mut expected = json!({"type": "chardev", "mode": "0666", "uid": 0, "gid": 5,
            "mtime": "1970-01-01T00:00:01.5Z", "major": 1, "minor": 3,
            "xattrs": {"user.a": "AGI="}});
        assert_eq!(serde_json::Value::from(object), expected);
        entry.kind = Kind::Symlink { target: b"\xfe".to_vec() };
        let mut object = Map::new();
        insert_entry(&mut object, &entry);
        expected = serde_json::Value::from(object);
        assert_eq!(expected["target_base64"], "/g==");
        assert!(expected.get("size").is_none());
    }

    #[test]
    fn a_line_looks_like_tars() {
        let mut entry = Entry {
            path: b"bin/su".to_vec(),
            kind: Kind::File,
            mode: 0o4755,
            uid: 0,
            gid: 5,
            mtime: Timestamp { seconds: 0, nanoseconds: 5 },
            len_bytes: 1234,
            xattrs: Xattrs::from([(b"user.a".to_vec(), Vec::new())]),
        };
        let line = |entry: &Entry| String::from_utf8(long_line(entry)).unwrap();
        let expected = "-rwsr-xr-x+ 0/5              1234 1970-01-01 00:00:00 bin/su [user.a]";
        assert_eq!(line(&entry), expected);
        entry.kind = Kind::HardLink { target: b"x".to_vec() };
        entry.mode = 0o1640;
        entry.xattrs.clear();
        entry.len_bytes = 0;
        let expected = "hrw-r----T  0/5                 0 1970-01-01 00:00:00 bin/su link to x";
        assert_eq!(line(&entry), expected);
    }
}
