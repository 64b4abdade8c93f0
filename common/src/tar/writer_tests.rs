//! Tests of the writer: which bytes, and which entries are refused.

use std::io::{self, Read, Write};

use proptest::prelude::*;

use crate::digest::Digest;
use crate::tar::testing::{archive, entry, file, member, read_all};
use crate::tar::{Entry, Error, Kind, Problem, Writer, Xattrs};
use crate::time::Timestamp;

/// The text of a field, up to its NUL.
fn field(block: &[u8], offset: usize, len: usize) -> String {
    String::from_utf8_lossy(super::super::field::string(&block[offset..offset + len])).into_owned()
}

fn one(entry: Entry) -> Vec<u8> {
    archive(&[(entry, Vec::new())])
}

#[test]
fn a_plain_entry_is_one_ustar_header() {
    let (mut plain, content) = file("usr/bin/x", b"content");
    plain.mode = 0o4755;
    (plain.uid, plain.gid) = (1000, 100);
    plain.mtime = Timestamp::from_seconds(1_700_000_000);
    let bytes = archive(&[(plain, content)]);
    assert_eq!(bytes.len(), 512 + 512 + 1024);
    for (offset, len, text) in [
        (0, 100, "usr/bin/x"),
        // Permission bits and no type beside them.
        (100, 8, "0004755"),
        (108, 8, "0001750"),
        (116, 8, "0000144"),
        (124, 12, "00000000007"),
        (136, 12, "14524770400"),
        (156, 1, "0"),
        (157, 100, ""),
        (257, 6, "ustar"),
        (263, 2, "00"),
        (265, 32, ""),
        (297, 32, ""),
        (329, 8, "0000000"),
        (337, 8, "0000000"),
        (345, 155, ""),
    ] {
        assert_eq!(field(&bytes, offset, len), text, "at {offset}");
    }
    assert_eq!(bytes[154..156], *b"\0 ");
    assert_eq!(&bytes[512..519], b"content");
    assert!(bytes[519..].iter().all(|&byte| byte == 0));
}

/// Everything at once, pinned: a change of these bytes changes every layer's digest.
#[test]
fn the_same_entries_have_the_same_digest_for_ever() {
    let mut members = vec![
        (entry("dir", Kind::Directory), Vec::new()),
        file("dir/file", b"content\n"),
        (entry("dir/link", Kind::Symlink { target: b"file".to_vec() }), Vec::new()),
        (entry("dir/same", Kind::HardLink { target: b"dir/file".to_vec() }), Vec::new()),
        (entry("dir/null", Kind::CharDevice { major: 1, minor: 3 }), Vec::new()),
        (entry("dir/disk", Kind::BlockDevice { major: 259, minor: 70_000 }), Vec::new()),
        (entry("dir/pipe", Kind::Fifo), Vec::new()),
        file(&format!("{}/{}", "p".repeat(120), "n".repeat(90)), b""),
        file(&"n".repeat(101), b""),
        file("caf\u{e9}", b""),
    ];
    members[1].0.mtime = Timestamp { seconds: -6, nanoseconds: 500_000_000 };
    members[2].0.uid = 3_000_000;
    members[3].0.xattrs = Xattrs::from([(b"user.a=b".to_vec(), b"1\n2".to_vec())]);
    let digest = Digest::of(&archive(&members)).to_string();
    assert_eq!(digest, "sha256:cd887e838d2b7c72963fd14ee7b24c758f9bfe12ffbbb616834f71351e7ad239");
}

#[test]
fn long_names_use_the_prefix_where_it_holds_them() {
    for (name, blocks) in [
        ("n".repeat(100), 1),
        ("n".repeat(101), 3),
        (format!("{}/{}", "p".repeat(155), "n".repeat(100)), 1),
        (format!("{}/{}", "p".repeat(156), "n".repeat(99)), 3),
        (format!("{}/{}", "p".repeat(20), "n".repeat(101)), 3),
        (format!("/{}", "n".repeat(100)), 3),
    ] {
        let bytes = one(entry(&name, Kind::File));
        assert_eq!(bytes.len(), blocks * 512 + 1024, "{name}");
        assert_eq!(read_all(&bytes).unwrap()[0].0.path, name.as_bytes());
    }
    // The slash of a directory stays with its name.
    let bytes = one(entry(&format!("{}/{}/", "p".repeat(60), "d".repeat(50)), Kind::Directory));
    assert_eq!(field(&bytes, 345, 155), "p".repeat(60));
    assert_eq!(field(&bytes, 0, 100), format!("{}/", "d".repeat(50)));
}

#[test]
fn an_extended_header_says_nothing_of_its_writer() {
    let bytes = one(Entry {
        mtime: Timestamp { seconds: 5, nanoseconds: 7 },
        mode: 0o600,
        uid: 8,
        ..entry("dir/caf\u{e9}", Kind::File)
    });
    assert_eq!(field(&bytes, 0, 100), "dir/PaxHeaders.0/caf");
    assert_eq!(field(&bytes, 100, 8), "0000000");
    assert_eq!(field(&bytes, 108, 8), "0000000");
    assert_eq!(field(&bytes, 136, 12), "00000000000");
    assert_eq!(field(&bytes, 156, 1), "x");
    let records = "21 mtime=5.000000007\n18 path=dir/caf\u{e9}\n";
    assert_eq!(field(&bytes, 512, 512), records);
    assert_eq!(field(&bytes, 1024, 100), "dir/caf");
}

#[test]
fn names_that_are_not_utf_8_say_so() {
    let name = b"caf\xe9".to_vec();
    let bytes = one(Entry { path: name.clone(), ..entry("", Kind::File) });
    assert_eq!(&bytes[512..512 + 21 + 13], b"21 hdrcharset=BINARY\n13 path=caf\xe9\n");
    assert_eq!(read_all(&bytes).unwrap()[0].0.path, name);
}

/// Takes the first bytes and no more.
#[derive(Debug)]
struct First(Vec<u8>);

impl Write for First {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.0.len() > 4096 {
            return Err(io::Error::other("enough"));
        }
        self.0.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_size_that_octal_cannot_hold_is_written_twice() {
    for (len_bytes, is_large) in [((8 << 30) - 1, false), (8 << 30, true)] {
        let mut first = First(Vec::new());
        let mut writer = Writer::new(&mut first);
        let large = Entry { len_bytes, ..entry("large", Kind::File) };
        assert!(writer.append(&large, io::repeat(0)).is_err());
        drop(writer);
        let header = if is_large {
            assert_eq!(field(&first.0, 512, 512), format!("19 size={len_bytes}\n"));
            &first.0[1024..1536]
        } else {
            &first.0[..512]
        };
        if is_large {
            assert_eq!(header[124..136], [0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
        } else {
            assert_eq!(field(header, 124, 12), "77777777777");
        }
    }
}

#[test]
fn entries_that_no_reader_would_take_are_refused_before_anything_is_written() {
    let link = |target: &[u8]| Kind::Symlink { target: target.to_vec() };
    let base = || entry("a", Kind::File);
    for bad in [
        entry("", Kind::File),
        entry("a\0b", Kind::File),
        entry("a/", Kind::File),
        entry("a/", link(b"t")),
        entry("a", link(b"")),
        entry("a", link(b"t\0")),
        entry("a", Kind::CharDevice { major: 4096, minor: 0 }),
        entry("a", Kind::BlockDevice { major: 0, minor: 1 << 20 }),
        Entry { mode: 0o100_644, ..base() },
        Entry { uid: u32::MAX, ..base() },
        Entry { gid: u32::MAX, ..base() },
        Entry { len_bytes: 1 << 63, ..base() },
        Entry { mtime: Timestamp { seconds: 0, nanoseconds: 1_000_000_000 }, ..base() },
        Entry { xattrs: Xattrs::from([(Vec::new(), Vec::new())]), ..base() },
        Entry { xattrs: Xattrs::from([(b"user.\0".to_vec(), Vec::new())]), ..base() },
        Entry { len_bytes: 1, ..entry("a", Kind::Directory) },
        Entry { len_bytes: 1, ..entry("a", Kind::HardLink { target: b"b".to_vec() }) },
    ] {
        let mut writer = Writer::new(Vec::new());
        let error = writer.append(&bad, io::repeat(0)).unwrap_err();
        assert!(matches!(error, Error::Unwritable { .. }), "{bad:?}: {error}");
        assert_eq!(writer.finish().unwrap(), [0; 1024], "{bad:?}");
    }
}

#[test]
fn content_must_be_as_long_as_the_entry_says() {
    let (entry, _) = file("f", b"12345");
    let mut writer = Writer::new(Vec::new());
    let short = writer.append(&entry, &b"1234"[..]).unwrap_err();
    assert_eq!(short.to_string(), "f: content ends after 4 of 5 bytes");
    let mut writer = Writer::new(Vec::new());
    let long = writer.append(&entry, &b"123456"[..]).unwrap_err();
    let Error::Unwritable { problem, .. } = long else { panic!("{long}") };
    assert_eq!(problem, Problem::Long { expected: 5 });
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(libc::EIO))
        }
    }
    let failed = Writer::new(Vec::new()).append(&entry, Failing).unwrap_err();
    assert_eq!(failed.to_string(), "f: cannot read its content");
}

#[test]
fn content_longer_than_the_buffer_passes_whole() {
    let content: Vec<u8> = (0_u32..300_000).flat_map(u32::to_le_bytes).collect();
    let members = [file("a", b"x"), file("b", &content), file("c", b"y")];
    assert!(read_all(&archive(&members)).unwrap() == members);
}

proptest! {
    // Nothing but ustar and extended headers, one of each at most, and never a type
    // for sparse files: what the `tar` crate lays out agrees.
    #[test]
    fn the_tar_crate_sees_the_same_headers(members in prop::collection::vec(member(), 0..5)) {
        let bytes = archive(&members);
        let mut theirs = ::tar::Archive::new(&bytes[..]);
        let mut extended = 0;
        let mut headers = 0;
        for entry in theirs.entries().unwrap().raw(true) {
            let mut entry = entry.unwrap();
            let header = entry.header().clone();
            prop_assert!(header.as_ustar().is_some());
            if header.as_old().linkflag == [b'x'] {
                extended += 1;
                io::copy(&mut entry, &mut io::sink()).unwrap();
                continue;
            }
            let (ours, content) = &members[headers];
            headers += 1;
            prop_assert_eq!(header.mode().unwrap(), ours.mode);
            prop_assert_eq!(header.size().unwrap(), content.len() as u64);
            let mut read = Vec::new();
            entry.read_to_end(&mut read).unwrap();
            prop_assert_eq!(&read, content);
        }
        prop_assert_eq!(headers, members.len());
        prop_assert!(extended <= headers);
    }
}
