//! Which extended attributes a layer has, and which are something else in it.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

use common::layer::diff::{IdMap, IdRange, Options, Owner};
use common::tar::{Entry, Kind};
use support::is_root;
use support::trees::{Trees, entries};

/// The entries of what a script makes, without the root's.
fn entries_of(script: &str, options: &Options) -> Vec<Entry> {
    let all = entries(&Trees::new(":", script).layer(options));
    all.into_iter().filter(|entry| entry.path != b"./").collect()
}

fn names(entry: &Entry) -> Vec<&str> {
    entry.xattrs.keys().map(|name| std::str::from_utf8(name).unwrap()).collect()
}

#[test]
fn all_attributes_are_recorded_but_those_of_the_host() {
    if !is_root() {
        layerutils_tests::requirement::skip("", "only root writes trusted and security attributes");
        return;
    }
    let script = "mkdir d; : >f; for x in d f; do
            for n in user.note trusted.note security.apparmor security.note; do
                setfattr -n $n -v 1 $x
            done
        done; setcap cap_net_raw=ep f; setfacl -m u:5:r f";
    let all = entries_of(script, &Options::default());
    let common = ["security.note", "trusted.note", "user.note"];
    assert_eq!(names(&all[0]), common);
    let of_file = ["security.capability", "security.note", "system.posix_acl_access"];
    assert_eq!(names(&all[1]), [&of_file[..], &common[1..]].concat());
}

#[test]
fn what_ordinary_users_tools_noted_is_the_header() {
    let script = "set() { : >$1; setfattr -n $2 -v \"$3\" $1; }
        set a user.containers.override_stat 3:4:04755
        set b user.fuseoverlayfs.override_stat 0:0:0600:block-8-1
        set c user.containers.override_stat 0:0:0666:char-1-3
        set d user.containers.override_stat 0:0:0666:pipe
        set e user.rootlesscontainers 0x08051007";
    let all = entries_of(script, &Options::default());
    assert!(all.iter().all(|entry| entry.xattrs.is_empty()));
    let kinds = [
        Kind::File,
        Kind::BlockDevice { major: 8, minor: 1 },
        Kind::CharDevice { major: 1, minor: 3 },
        Kind::Fifo,
        Kind::File,
    ];
    assert!(all.iter().map(|entry| &entry.kind).eq(&kinds), "{all:?}");
    let header = |entry: &Entry| (entry.uid, entry.gid, entry.mode);
    assert_eq!(header(&all[0]), (3, 4, 0o4755));
    assert_eq!(header(&all[1]), (0, 0, 0o600));
    assert_eq!((all[4].uid, all[4].gid), (5, 7));
}

#[test]
fn the_mode_of_a_link_means_nothing() {
    if !is_root() {
        layerutils_tests::requirement::skip("", "only root writes security attributes");
        return;
    }
    let script = "ln -s x l; setfattr -h -n security.fuseoverlayfs.override_stat -v 1:2:0600 l";
    let all = entries_of(script, &Options::default());
    assert_eq!((all[0].uid, all[0].gid, all[0].mode), (1, 2, 0o777));
    assert!(all[0].xattrs.is_empty());
}

#[test]
fn identifiers_in_attributes_are_mapped_as_owners_are() {
    if !is_root() {
        layerutils_tests::requirement::skip("", "only root gives capabilities");
        return;
    }
    // Capabilities of revision 3, of the root of a user namespace: ours and another's.
    let script = "
        : >acl; setfacl -m u:100001:r,g:100002:r acl
        v3() { echo 0x0100000300200000000000000000000000000000$1; }
        : >ours; setfattr -n security.capability -v $(v3 a0860100) ours
        : >theirs; setfattr -n security.capability -v $(v3 07000000) theirs";
    let map = || IdMap(vec![IdRange { inside: 0, outside: 100_000, count: 10 }]);
    let options =
        Options { owner: Owner::Mapped { uids: map(), gids: map() }, ..Options::default() };
    let all = entries_of(script, &options);
    let acl = &all[0].xattrs[&b"system.posix_acl_access"[..]];
    let named: Vec<_> = acl[4..].chunks(8).filter(|one| [2, 8].contains(&one[0])).collect();
    assert_eq!(named, [[2, 0, 4, 0, 1, 0, 0, 0], [8, 0, 4, 0, 2, 0, 0, 0]]);
    let capability = |entry: &Entry| {
        let value = &entry.xattrs[&b"security.capability"[..]];
        (value.len(), value[3])
    };
    assert_eq!(capability(&all[1]), (20, 2));
    assert_eq!(capability(&all[2]), (24, 3));
}
