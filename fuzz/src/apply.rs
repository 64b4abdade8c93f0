//! A whole apply of whatever bytes into a root with a canary beside it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use common::compression::MaxSize;
use common::layer::apply::{Form, Options, Ownership, apply_stream};
use common::mount::Namespace;
use common::root::Root;
use common::tar::Limits;

use crate::mend::mend;
use crate::scratch;

pub(crate) fn run(input: &[u8]) {
    let Some((&choice, archive)) = input.split_first() else { return };
    let mended = mend(archive);
    let archive = if choice & 1 == 0 { &mended } else { archive };
    let scratch = scratch::folder();
    let at = |name: &str| scratch.path().join(name);
    fs::create_dir(at("outside")).unwrap();
    fs::write(at("outside/canary"), "sings").unwrap();
    fs::set_permissions(at("outside/canary"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::create_dir_all(at("root/usr/lib")).unwrap();
    fs::write(at("root/usr/lib/file"), "lower").unwrap();
    symlink("usr/lib", at("root/lib")).unwrap();
    symlink("../../outside", at("root/usr/out")).unwrap();
    symlink(at("outside"), at("root/absolute")).unwrap();
    let before = canary(scratch.path());

    let root = Root::open(&at("root")).unwrap();
    let root = if choice & 2 == 0 { root } else { root.without_openat2() };
    let namespace = if choice & 8 == 0 { Namespace::User } else { Namespace::Trusted };
    let form = match choice & 4 {
        0 => Form::Plain,
        _ => Form::Overlay { namespace, lowers: Vec::new().into() },
    };
    let limits = Limits { entries: 1000, metadata_bytes: 64 << 10, ..Limits::default() };
    let options = Options {
        ownership: Ownership::of_process(),
        form,
        limits,
        max_size: MaxSize::Bytes(1 << 20),
        keep_dirlinks: choice & 16 != 0,
        ..Options::default()
    };
    // Refused or not: it is the canary that counts.
    let _ = apply_stream(&root, archive, &options);
    assert_eq!(before, canary(scratch.path()), "something outside the root was touched");
}

/// All that can be seen of what is outside the root.
fn canary(scratch: &Path) -> Vec<String> {
    let mut seen = Vec::new();
    for folder in [scratch.to_owned(), scratch.join("outside")] {
        let mut names: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        for path in names {
            let stat = fs::symlink_metadata(&path).unwrap();
            if path.ends_with("root") {
                assert!(stat.is_dir());
                seen.push("root".to_owned());
                continue;
            }
            let times = (stat.mtime(), stat.mtime_nsec(), stat.ctime(), stat.ctime_nsec());
            let owner = (stat.uid(), stat.gid(), stat.mode(), stat.nlink(), stat.len());
            seen.push(format!("{path:?} {owner:?} {times:?}"));
        }
    }
    assert_eq!(fs::read(scratch.join("outside/canary")).unwrap(), b"sings");
    seen
}
