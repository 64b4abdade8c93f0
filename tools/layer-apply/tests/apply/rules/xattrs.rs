//! Extended attributes: kept, left out, and reported.

use crate::support::{
    Archive, Scratch, Way, each_way, feed, has_program, is_root, member, run, tool, xattrs,
};

#[test]
fn host_bound_and_overriding_attributes_are_reported_and_left_out() {
    let layer = Archive::new()
        .with(
            member("x", b'0')
                .xattr("user.kept", "1")
                .xattr("security.selinux", "label")
                .xattr("user.containers.override_stat", "0:0:0755")
                .xattr("user.rootlesscontainers", "x")
                .xattr("user.overlay.opaque", "y"),
        )
        .with(member("y", b'0').xattr("security.selinux", "label"));
    let scratch = Scratch::new(Way::Tool);
    let output = run(&[scratch.root()], &layer.bytes());
    assert!(output.status.success());
    assert_eq!(xattrs(&scratch.path("x")).keys().collect::<Vec<_>>(), ["user.kept"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors.lines().count(), 4, "{errors}");
    let line = "layer-apply: warning: extended attribute security.selinux of 2 entries not kept: \
                it belongs to the host it was read on\n";
    assert!(errors.contains(line), "{errors}");
}

#[test]
fn attributes_that_cannot_be_held_are_reported() {
    let layer = Archive::new()
        .with(member("l", b'2').link("x").xattr("user.a", "1"))
        // No file system knows such a namespace.
        .with(member("x", b'0').xattr("strange.b", "1"))
        .with(member("d", b'5').xattr("strange.b", "1"));
    let scratch = Scratch::new(Way::Tool);
    let output = run(&[scratch.root()], &layer.bytes());
    assert!(output.status.success(), "{output:?}");
    let why = "not kept: the file system cannot hold it there";
    let expected = format!(
        "layer-apply: warning: extended attribute strange.b of 2 entries {why}\n\
         layer-apply: warning: extended attribute user.a of 1 entry {why}\n"
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
}

#[test]
fn what_only_a_privilege_sets_is_an_error_to_root_and_a_loss_to_others() {
    if !is_root("giving up a capability") || !has_program("setpriv") || !has_program("unshare") {
        return;
    }
    let mut acl = super::default_acl().to_vec();
    // A user that the namespace has not.
    acl[16..20].copy_from_slice(&5_u32.to_le_bytes());
    let layer = Archive::new()
        .with(member("x", b'0').xattr("security.note", "1").xattr("system.posix_acl_access", acl));
    let run = |words: &[&str]| {
        let scratch = Scratch::new(Way::Tool);
        let mut command = std::process::Command::new(words[0]);
        command.args(&words[1..]).arg(tool().get_program()).arg(scratch.root());
        let output = feed(&mut command, &layer.bytes());
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let without = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
    let (status, errors) = run(&without);
    assert_eq!(status, Some(2), "{errors}");
    assert!(errors.contains("security.note") && errors.contains("not permitted"), "{errors}");
    let (status, errors) = run(&["unshare", "-Ur"]);
    let why = "of 1 entry not kept: that takes a privilege";
    let expected = ["security.note", "system.posix_acl_access"]
        .map(|name| format!("layer-apply: warning: extended attribute {name} {why}\n"));
    assert_eq!((status, errors), (Some(0), expected.concat()));
}

#[test]
fn what_a_layer_cannot_say_of_a_directory_stays() {
    if !is_root("labelling directories") {
        return;
    }
    let layer = Archive::new().with(member("d", b'5').xattr("user.new", "1"));
    each_way(|scratch| {
        let path = scratch.path("d");
        std::fs::create_dir(&path).unwrap();
        for name in ["security.SMACK64", "security.note", "user.old"] {
            rustix::fs::lsetxattr(&path, name, b"1", rustix::fs::XattrFlags::empty()).unwrap();
        }
        scratch.apply(&layer);
        let found = xattrs(&path);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["security.SMACK64", "user.new"]);
    });
}

#[test]
fn names_and_values_of_attributes_are_bytes() {
    // GNU tar writes `%3D` for `=`, which ends a keyword.
    let layer = Archive::new().with(
        member("x", b'0')
            .xattr("user.a%3Db", "equals")
            .xattr("user.100%25", "percent")
            .xattr("user.empty", "")
            .xattr("user.binary", [0, 10, 61, 255]),
    );
    each_way(|scratch| {
        scratch.apply(&layer);
        let found = xattrs(&scratch.path("x"));
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["user.100%", "user.a=b", "user.binary", "user.empty"]);
        assert_eq!(found["user.binary"], [0, 10, 61, 255]);
        assert!(found["user.empty"].is_empty());
    });
}

#[test]
fn capabilities_of_a_user_namespace_stay_its_own() {
    if !is_root("setting capabilities") {
        return;
    }
    // Revision 3: with the id of the namespace's root, which is none of ours.
    let mut capability = b"\x01\0\0\x03\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    capability.extend(1000_u32.to_le_bytes());
    let layer = Archive::new().with(member("x", b'0').xattr("security.capability", &capability));
    each_way(|scratch| {
        scratch.apply(&layer);
        assert_eq!(xattrs(&scratch.path("x"))["security.capability"], capability);
    });
}

#[test]
fn an_attribute_that_cannot_be_set_is_left_out_by_the_option_of_the_hint() {
    let mut names = vec![("user.", "1")];
    // To an ordinary user these take a privilege, and are left out with a warning.
    if is_root("setting capabilities") {
        names.push(("system.posix_acl_access", "\x02\0\0\0junk"));
        names.push(("security.capability", "junk"));
    }
    for (name, value) in names {
        let layer = Archive::new().with(member("x", b'0').xattr(name, value));
        let scratch = Scratch::new(Way::Tool);
        let root = scratch.root();
        let output = run(&[&root], &layer.bytes());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        let hint = format!("\nlayer-apply: hint: --xattrs '!{name}' leaves it out\n");
        assert!(errors.ends_with(&hint), "{errors}");
        let words = ["--xattrs".into(), format!("!{name}").into(), root.into_os_string()];
        let output = run(&words, &layer.bytes());
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert!(scratch.has("x") && xattrs(&scratch.path("x")).is_empty());
    }
}

#[test]
fn patterns_choose_attributes() {
    let layer = || {
        let member = member("x", b'0').xattr("user.a", "1").xattr("user.ab", "1");
        Archive::new().with(member.xattr("user.b", "1"))
    };
    for (patterns, kept) in
        [(&["user.a*"][..], &["user.a", "user.ab"][..]), (&["!user.*", "user.b"], &["user.b"])]
    {
        let scratch = Scratch::new(Way::Tool);
        let mut words: Vec<std::ffi::OsString> = Vec::new();
        patterns.iter().for_each(|pattern| words.extend(["--xattrs".into(), pattern.into()]));
        words.push(scratch.root().into_os_string());
        assert!(run(&words, &layer().bytes()).status.success());
        let found = xattrs(&scratch.path("x"));
        assert_eq!(found.keys().collect::<Vec<_>>(), kept, "{patterns:?}");
    }
}

#[test]
fn an_attribute_that_its_layer_changes_is_no_longer_the_lower_one() {
    // A file is a new file: nothing of the old one's attributes is merged.
    let layer = |value: &str| Archive::new().with(member("x", b'0').xattr(value, "1"));
    each_way(|scratch| {
        scratch.apply(&layer("user.old")).apply(&layer("user.new"));
        assert_eq!(xattrs(&scratch.path("x")).keys().collect::<Vec<_>>(), ["user.new"]);
    });
}
