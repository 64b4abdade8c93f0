//! One rule of a correct comparison a test, on small trees.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::Command;

use common::glob::Pattern;
use common::layer::diff::{
    ContentPolicy, Error, Options, Owner, Parents, Precision, Reason, Sockets, XattrRules,
};
use common::tar::Kind;
use common::time::Timestamp;
use support::trees::{Trees, entries};
use support::{is_root, members, try_diff};

fn changes_of(before: &str, after: &str) -> Vec<String> {
    Trees::new(before, after).changes(&Options::default())
}

#[test]
fn every_kind_of_metadata_is_compared() {
    for (after, expected) in [
        ("chmod 600 f", "C f mode"),
        ("touch -d '2020-01-02 03:04:05.250000001' f", "C f mtime"),
        ("setfattr -n user.x -v 1 f; touch -d '2020-01-02 03:04:05.25' f", "C f xattrs"),
        ("echo longer >f; touch -d '2020-01-02 03:04:05.25' f", "C f size"),
        ("ln -sf u l; touch -h -d '2020-01-02 03:04:05.25' l", "C l target"),
        ("chmod 700 d", "C d mode"),
    ] {
        assert_eq!(changes_of("echo x >f; ln -s t l; mkdir d", after), [expected], "{after}");
    }
}

#[test]
fn owners_and_devices_are_compared() {
    if !is_root() {
        layerutils_tests::requirement::skip("", "only root changes owners and makes devices");
        return;
    }
    let before = "echo x >f; mknod n c 1 3";
    assert_eq!(changes_of(before, "chown 0:7 f"), ["C f owner"]);
    let after = "rm n; mknod n c 1 5; touch -d '2020-01-02 03:04:05.25' n";
    assert_eq!(changes_of(before, after), ["C n device"]);
    assert_eq!(changes_of(before, "setcap cap_net_raw=ep f"), ["C f xattrs"]);
}

#[test]
fn content_decides_where_times_are_whole_seconds() {
    let same_second = "echo y >f; touch -d '2020-01-02 03:04:05' f ../a/f";
    let trees = Trees::new("echo x >f", same_second);
    assert_eq!(trees.changes(&Options::default()), ["C f content"]);
    let never = Options { content: ContentPolicy::Never, ..Options::default() };
    assert_eq!(trees.changes(&never), [""; 0]);
    let same_instant = "echo y >f; touch -d '2020-01-02 03:04:05.25' f";
    let trees = Trees::new("echo x >f", same_instant);
    assert_eq!(trees.changes(&Options::default()), [""; 0]);
    let always = Options { content: ContentPolicy::Always, ..Options::default() };
    assert_eq!(trees.changes(&always), ["C f content"]);
}

#[test]
fn content_is_compared_to_its_end() {
    let same_second = "echo y >>f; touch -d '2020-01-02 03:04:05' f ../a/f";
    let trees = Trees::new(
        "head -c 300000 /dev/zero >f; cp f g; echo x >>f",
        &format!("cp ../a/g f; {same_second} g ../a/g"),
    );
    assert_eq!(trees.changes(&Options::default()), ["C f content"]);
}

#[test]
fn content_decides_where_a_time_was_set_ahead_of_the_clock() {
    let same_instant = "echo y >f; touch -d '2200-01-02 03:04:05.25' f ../a/f";
    let trees = Trees::new("echo x >f", same_instant);
    assert_eq!(trees.changes(&Options::default()), ["C f content"]);
}

#[test]
fn of_several_files_that_cannot_be_compared_the_first_is_named() {
    let trees = Trees::new(
        "for i in $(seq 100 400); do echo x >$i; done",
        "touch -d '2020-01-02 03:04:05' * ../a/*; chmod 0 300 200 400",
    );
    rustix::fs::chmod(trees.scratch.path(), rustix::fs::Mode::from_raw_mode(0o755)).unwrap();
    for _ in 0..3 {
        let Some(text) = refusal(&trees) else { return };
        assert_eq!(text, "layer-diff: b/200: Permission denied\n");
    }
}

#[test]
fn seconds_are_compared_and_recorded_as_seconds() {
    let trees =
        Trees::new("echo x >f; echo y >g", "touch -d '2020-01-02 03:04:05.75' f; echo z >>g");
    let options = Options { precision: Precision::Seconds, ..Options::default() };
    assert_eq!(trees.changes(&options).len(), 1);
    assert!(entries(&trees.layer(&options)).iter().all(|entry| entry.mtime.nanoseconds == 0));
    // Times of which only the fractions differ say nothing of the content.
    let trees = Trees::new("echo x >f", "echo y >f; touch -d '2020-01-02 03:04:05.75' f");
    assert_eq!(trees.changes(&options), ["C f content"]);
}

#[test]
fn a_deleted_directory_is_one_whiteout_with_a_fixed_header() {
    let layer = Trees::new("mkdir -p d/e; echo x >d/e/f", "rm -r d").layer(&Options::default());
    let whiteouts: Vec<_> =
        entries(&layer).into_iter().filter(|entry| entry.path != b"./").collect();
    let [whiteout] = whiteouts.as_slice() else { panic!("{whiteouts:?}") };
    assert_eq!(whiteout.path, b".wh.d");
    assert_eq!((&whiteout.kind, whiteout.mode, whiteout.len_bytes), (&Kind::File, 0, 0));
    assert_eq!((whiteout.uid, whiteout.gid, whiteout.mtime), (0, 0, Timestamp::EPOCH));
}

#[test]
fn a_change_of_type_is_one_entry_and_no_whiteout() {
    let lines =
        changes_of("mkdir d; echo x >d/f; echo y >g", "rm -r d g; echo d >d; mkdir g; : >g/n");
    assert_eq!(lines, ["C d type", "C g type", "A g/n"]);
}

#[test]
fn parents_of_a_change_are_recorded() {
    let before = "mkdir -p p/q; echo x >p/q/f";
    let trees = Trees::new(before, "echo y >>p/q/f");
    assert_eq!(trees.changes(&Options::default())[..2], ["C p", "C p/q"]);
    let options = Options { parents: Parents::Changed, ..Options::default() };
    assert_eq!(members(&trees.layer(&options)), ["p/q/f"]);
}

#[test]
fn a_directory_whose_time_alone_changed_is_recorded() {
    assert_eq!(changes_of("mkdir d", ": >d/f; rm d/f"), ["C d mtime"]);
}

#[test]
fn order_is_by_bytes_with_whiteouts_first() {
    let before = "mkdir a; : >a/z; : >a/b; : >y";
    let layer = Trees::new(before, "rm a/z y; : >a/a; : >a.b; : >a-b; mkdir a/c; : >a/c/d");
    let expected =
        ["./", ".wh.y", "a/", "a/.wh.z", "a/a", "a/c/", "a/c/d", "a-b", "a.b"].map(str::to_owned);
    assert_eq!(members(&layer.layer(&Options::default())), expected);
}

#[test]
fn reserved_names_are_refused_by_name() {
    for after in [": >d/.wh.x", "mkdir d/.wh..wh..opq"] {
        let error = Trees::new("mkdir d", after).error(&Options::default());
        assert!(matches!(error, Error::ReservedName { .. }), "{error}");
        assert!(error.to_string().contains("b/d/.wh."), "{error}");
    }
}

#[test]
fn sockets_are_left_out_and_told() {
    let trees = Trees::new("echo x >was", "rm was; echo x >became");
    let sockets = ["a/became", "a/stayed", "b/stayed", "b/new", "b/was"];
    let _sockets = sockets.map(|name| UnixListener::bind(trees.scratch.path().join(name)).unwrap());
    let (layer, summary) = try_diff(Some(&trees.a()), &trees.b(), &Options::default()).unwrap();
    assert_eq!(members(&layer), ["./", ".wh.was", "became"]);
    assert_eq!(trees.changes(&Options::default()), ["D was", "C became type"]);
    assert_eq!(summary.passed_over.len(), 3);
    assert!(summary.passed_over.iter().all(|one| one.reason == Reason::Socket));
    let strict = Options { sockets: Sockets::Refuse, ..Options::default() };
    assert!(matches!(trees.error(&strict), Error::Socket { .. }));
}

#[test]
fn what_cannot_be_read_is_an_error_that_names_it() {
    for name in ["d/f", "d"] {
        let trees = Trees::new(":", "mkdir d; echo x >d/f");
        rustix::fs::chmod(trees.b().join(name), rustix::fs::Mode::empty()).unwrap();
        rustix::fs::chmod(trees.scratch.path(), rustix::fs::Mode::from_raw_mode(0o755)).unwrap();
        let Some(text) = refusal(&trees) else { return };
        assert_eq!(text, format!("layer-diff: b/{name}: Permission denied\n"));
    }
}

/// The message to an ordinary user, who cannot read all of the trees. The files belong to
/// someone else, which takes root: a user's own are read whatever their mode.
fn refusal(trees: &Trees) -> Option<String> {
    if !is_root() {
        layerutils_tests::requirement::skip(
            "",
            "only root has files that another user cannot read",
        );
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=54321", "--clear-groups", env!("CARGO_BIN_EXE_layer-diff")]);
    let output =
        command.args(["--owner=keep", "a", "b"]).current_dir(&trees.scratch).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if text.contains("setpriv") || text.contains("failed to execute") {
        layerutils_tests::requirement::skip(
            "",
            &format!("an ordinary user cannot run the tool here: {text}"),
        );
        return None;
    }
    assert_eq!(output.status.code(), Some(2), "{text}");
    Some(text)
}

#[test]
fn overlay_whiteouts_and_attributes_do_not_pass_for_files() {
    let trees = Trees::new("mkdir d", "setfattr -n user.overlay.opaque -v y d");
    let error = trees.error(&Options::default());
    assert!(matches!(error, Error::OverlayXattr { .. }), "{error}");
    let mut xattrs = XattrRules::default();
    xattrs.push(b"!user.overlay.*");
    assert_eq!(trees.changes(&Options { xattrs, ..Options::default() }), [""; 0]);
    if is_root() {
        let error = Trees::new(":", "mknod w c 0 0").error(&Options::default());
        assert!(matches!(error, Error::WhiteoutDevice { .. }), "{error}");
    }
}

#[test]
fn times_are_clamped_and_never_raised() {
    let trees = Trees::new(":", "touch -d @10 old; touch -d @99 new");
    let options = Options { clamp_mtime: Some(Timestamp::from_seconds(50)), ..Options::default() };
    let times: Vec<_> = entries(&trees.layer(&options))
        .into_iter()
        .filter(|entry| entry.kind == Kind::File)
        .map(|entry| entry.mtime.seconds)
        .collect();
    assert_eq!(times, [50, 10]);
}

#[test]
fn owners_are_replaced_in_both_trees() {
    let trees = Trees::new("echo x >f", "echo y >g");
    let options = Options { owner: Owner::Fixed { uid: 7, gid: 8 }, ..Options::default() };
    assert_eq!(trees.changes(&options), ["A g"]);
    assert!(entries(&trees.layer(&options)).iter().all(|e| (e.uid, e.gid) == (7, 8)));
}

#[test]
fn excluded_names_are_neither_added_nor_deleted() {
    let trees = Trees::new("mkdir c; : >c/x; : >k.o", "rm -r c; rm k.o; : >n.o; mkdir s; : >s/t");
    let exclude = [&b"*.o"[..], b"/c", b"s/t"].map(Pattern::new).to_vec();
    assert_eq!(trees.changes(&Options { exclude, ..Options::default() }), ["A s"]);
}

#[test]
fn mounts_below_the_tree_are_passed_over() {
    if !is_root() {
        layerutils_tests::requirement::skip("", "only root mounts");
        return;
    }
    let trees = Trees::new("mkdir m low; : >m/below; : >f", "mkdir new; : >low/n");
    let script = "mount -t tmpfs none b/m; : >b/m/above; mount -t tmpfs none b/new; : >b/new/x
        mount -t tmpfs none a/low
        : >source; mount --bind source b/f
        exec \"$0\" --list a b";
    let run = |extra: &[&str]| {
        let output = Command::new("unshare")
            .args(["-m", "sh", "-ec", &format!("{script} {}", extra.join(" "))])
            .arg(env!("CARGO_BIN_EXE_layer-diff"))
            .current_dir(trees.scratch.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    };
    let (out, err) = run(&[]);
    assert_eq!(out, "A /new\n");
    for name in ["b/m", "b/new", "b/f", "b/low"] {
        assert!(err.contains(&format!("warning: {name}: mount point left out")), "{err}");
    }
    assert_eq!(run(&["--one-file-system"]), ("A /new\n".to_owned(), String::new()));
    let (out, err) = run(&["--one-file-system=no"]);
    for line in ["A /m/above", "D /m/below", "A /new/x", "C /f", "A /low/n"] {
        assert!(out.lines().any(|one| one == line), "{line}: {out}");
    }
    assert_eq!(err, "");
}

#[test]
fn modes_have_no_type_bits_and_gnu_tar_reads_all() {
    let trees = Trees::new(":", "mkdir d; echo x >d/f; ln d/f d/g; ln -s f d/l; mkfifo d/p");
    let layer = trees.layer(&Options::default());
    assert!(entries(&layer).iter().all(|entry| entry.mode <= 0o7777));
    let path = trees.scratch.path().join("layer.tar");
    fs::write(&path, layer).unwrap();
    let output = Command::new("tar").arg("-tf").arg(&path).env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "./\nd/\nd/f\nd/g\nd/l\nd/p\n");
}
