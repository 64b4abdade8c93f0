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

#[cfg(test)]
mod tests {
    use super::insert_entry;
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
}
