//! Arbitrary members, as a layer could hold them.

use common::tar::{Entry, Kind, Xattrs};
use common::time::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// An entry and its content.
pub(crate) type Member = (Entry, Vec<u8>);

/// A source of samples that are the same in every run: peers are slow to ask, so
/// there is no shrinking, and a failure must come again.
pub(crate) fn runner(seed: u8) -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    TestRunner::new_with_rng(Config::default(), rng)
}

/// One sample.
pub(crate) fn draw<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Value {
    strategy.new_tree(runner).unwrap().current()
}

/// A plain file.
pub(crate) fn file(path: &str, content: &[u8]) -> Entry {
    Entry {
        path: path.into(),
        kind: Kind::File,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: Timestamp::EPOCH,
        len_bytes: content.len() as u64,
        xattrs: Xattrs::new(),
    }
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-z]{1,8}(/[a-z .]{0,8}[a-z]){0,3}".prop_map(String::into_bytes),
        2 => "[a-z]{1,60}(/[a-z]{1,60}){0,9}".prop_map(String::into_bytes),
        2 => "[a-zäöü€\u{1f600}\n\t\"\\\\ ]{1,40}x".prop_map(String::into_bytes),
        1 => prop::collection::vec(prop_oneof![1_u8..b'/', b'0'..], 1..120),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        8 => Just(Kind::File),
        2 => Just(Kind::Directory),
        1 => Just(Kind::Fifo),
        2 => text().prop_map(|target| Kind::Symlink { target }),
        2 => text().prop_map(|target| Kind::HardLink { target }),
        1 => (0..0x1000_u32, 0..0x10_0000_u32)
            .prop_map(|(major, minor)| Kind::CharDevice { major, minor }),
        1 => (0..0x1000_u32, 0..0x10_0000_u32)
            .prop_map(|(major, minor)| Kind::BlockDevice { major, minor }),
    ]
}

fn mtime() -> impl Strategy<Value = Timestamp> {
    let seconds = prop_oneof![
        4 => 0..2_000_000_000_i64,
        1 => -9_999_999_999..99_999_999_999_i64,
    ];
    let nanoseconds = prop_oneof![Just(0), 0..1_000_000_000_u32];
    (seconds, nanoseconds).prop_map(|(seconds, nanoseconds)| Timestamp { seconds, nanoseconds })
}

fn xattrs() -> impl Strategy<Value = Xattrs> {
    let name = prop_oneof!["user\\.[a-z.]{1,8}", "security\\.[a-z]{1,8}"];
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        Just(b"\x01\0\0\x02\x0a\0\0\0\n22 linkpath=/etc/evil\n".to_vec()),
    ];
    let some = prop::collection::btree_map(name.prop_map(String::into_bytes), value, 1..4);
    prop_oneof![3 => Just(Xattrs::new()), 1 => some]
}

/// Any member that an archive can hold.
pub(crate) fn member() -> impl Strategy<Value = Member> {
    let id = || prop_oneof![3 => 0..70_000_u32, 1 => 0..u32::MAX];
    let content = prop::collection::vec(any::<u8>(), 0..1600);
    (text(), kind(), 0..0o10_000_u32, id(), id(), mtime(), xattrs(), content).prop_map(
        |(path, kind, mode, uid, gid, mtime, xattrs, content)| {
            let content = if kind == Kind::File { content } else { Vec::new() };
            let len_bytes = content.len() as u64;
            (Entry { path, kind, mode, uid, gid, mtime, len_bytes, xattrs }, content)
        },
    )
}
