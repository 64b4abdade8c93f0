//! What hostile layers have done to others: one test for each attack that is on
//! record, with canaries outside the root.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use crate::support::{self, Archive, Scratch, Way, each_way, feed, is_root, member, tool, xattrs};

#[test]
fn a_file_through_a_link_lands_in_the_root() {
    // CVE-2014-9356, CVE-2018-20990, CVE-2026-46703 and many more.
    for target in ["../outside", "../../../../../../outside", "/outside", "/../outside/."] {
        let layer = Archive::new()
            .symlink("escape", target)
            .file("escape/canary", "dead")
            .file("escape/new", "");
        each_way(|scratch| {
            scratch.apply(&layer);
            assert_eq!(scratch.read("outside/canary"), "dead");
        });
    }
    each_way(|scratch| {
        // An absolute link to the very place outside.
        let outside = scratch.beside("outside");
        let layer = Archive::new()
            .symlink("escape", outside.to_str().unwrap())
            .file("escape/canary", "dead")
            .whiteout("escape/.wh.canary")
            .whiteout("escape/.wh..wh..opq");
        scratch.apply(&layer);
    });
}

#[test]
fn names_that_climb_are_refused() {
    // CVE-2021-21272 and the rest of its kind.
    for path in ["../canary", "a/../../canary", "/../canary", "..", "a/..", "./../outside/canary"] {
        for typeflag in [b'0', b'5', b'2', b'1', b'6'] {
            let layer = Archive::new().with(member(path, typeflag).link("/etc/passwd"));
            each_way(|scratch| scratch.refuse(&layer, "holds '..'"));
        }
        let whiteout = Archive::new().whiteout(path.replace("canary", ".wh.canary"));
        each_way(|scratch| scratch.refuse(&whiteout, "holds '..'"));
    }
    each_way(|scratch| scratch.apply(&Archive::new().file("/canary", "inside")).assert_contained());
}

#[test]
fn hard_links_stay_in_the_root() {
    // CVE-2021-32760, CVE-2026-17106: a hard link whose target is outside.
    each_way(|scratch| {
        let canary = scratch.beside("canary");
        let links = [canary.to_str().unwrap(), "/canary", "canary", "../canary", "escape/canary"];
        for target in links {
            let layer = Archive::new().symlink("escape", "..").hardlink("x", target);
            assert!(scratch.try_apply(&layer).is_err(), "{target}");
        }
    });
}

#[test]
fn relative_hard_links_are_not_of_the_working_directory() {
    // CVE-2026-50163: the name exists where the tool was started.
    let scratch = Scratch::new(Way::Tool);
    let layer = Archive::new().hardlink("x", "canary");
    let mut command = tool();
    command.current_dir(scratch.beside("outside")).arg(scratch.root());
    let output = feed(&mut command, &layer.bytes());
    assert_eq!(output.status.code(), Some(2));
    scratch.assert_contained();
    assert_eq!(fs::metadata(scratch.beside("outside/canary")).unwrap().nlink(), 1);
}

#[test]
fn the_root_is_replaced_by_nothing() {
    // CVE-2021-29136.
    for path in [".", "./", "/", "//", "/.", "./."] {
        for typeflag in [b'0', b'2', b'1', b'6', b'3'] {
            let layer = Archive::new()
                .with(member(path, typeflag).link("../outside").device(1, 3))
                .file("canary", "dead");
            each_way(|scratch| {
                assert!(scratch.try_apply(&layer).is_err());
                assert!(scratch.stat("").is_dir());
            });
        }
    }
}

#[test]
fn modes_and_owners_are_not_changed_through_links() {
    // CVE-2021-32760, CVE-2021-41089, CVE-2026-33056: a link, then a directory or
    // a file of that name.
    let layer = Archive::new()
        .symlink("d", "../outside")
        .with(member("d", b'5').mode(0o777).mtime(1))
        .symlink("f", "../canary")
        .with(member("f", b'0').mode(0o777).content("dead"))
        .symlink("p", "../canary")
        .with(member("p", b'6').mode(0o777))
        .with(member("l", b'2').link("../canary").mode(0o4777).mtime(1).xattr("user.x", "1"));
    each_way(|scratch| {
        scratch.apply(&layer);
        assert!(scratch.stat("d").is_dir());
    });
}

#[test]
fn a_parent_that_becomes_a_link_is_seen_as_one() {
    // CVE-2025-47290: a cache of resolved parents that went stale.
    let layer = Archive::new()
        .dir("d")
        .file("d/first", "")
        .symlink("d", "../outside")
        .file("d/canary", "dead")
        .dir("deep/er")
        .file("deep/er/first", "")
        .symlink("deep", "/elsewhere")
        .file("deep/er/second", "");
    each_way(|scratch| {
        scratch.apply(&layer);
        assert_eq!(scratch.read("outside/canary"), "dead");
        assert!(scratch.has("elsewhere/er/second"));
    });
}

#[test]
fn a_link_that_becomes_another_is_seen_as_it_is() {
    let layer = Archive::new()
        .dir("one")
        .dir("two")
        .symlink("l", "one")
        .symlink("way", "l")
        .file("way/x", "")
        .symlink("l", "two")
        .file("way/y", "")
        .whiteout("way/.wh.x")
        .hardlink("z", "way/y");
    each_way(|scratch| {
        scratch.apply(&layer);
        assert!(scratch.has("one/x") && scratch.has("two/y") && !scratch.has("one/y"));
    });
}

#[test]
fn whiteouts_delete_nothing_outside() {
    let layer = Archive::new()
        .symlink("up", "..")
        .whiteout("up/.wh.canary")
        .whiteout("up/.wh.outside")
        .symlink("out", "../outside")
        .whiteout("out/.wh..wh..opq")
        .whiteout(".wh..wh..opq");
    each_way(|scratch| {
        symlink("../outside", scratch.path("lower")).unwrap();
        fs::create_dir(scratch.path("d")).unwrap();
        symlink("../../outside", scratch.path("d/link")).unwrap();
        scratch.apply(&layer);
        assert!(!scratch.has("d"));
    });
}

#[test]
fn an_existing_link_in_the_place_of_a_file_is_not_written_through() {
    // CVE-2018-20990.
    each_way(|scratch| {
        symlink("../canary", scratch.path("x")).unwrap();
        fs::hard_link(scratch.beside("canary"), scratch.path("y")).unwrap();
        scratch.apply(&Archive::new().file("x", "dead").file("y", "dead"));
        assert_eq!(scratch.read("x"), "dead");
        assert_eq!(fs::read_to_string(scratch.beside("canary")).unwrap(), "alive");
        fs::remove_file(scratch.path("y")).unwrap();
    });
}

#[test]
fn the_size_in_an_extended_header_frames_the_archive() {
    // CVE-2025-62518 and CVE-2026-33055: an archive inside an archive, seen by who
    // goes by the other of two sizes.
    let inner = Archive::new().file("smuggled", "dead").bytes();
    let outer = Archive::new().file("carrier", &inner).file("last", "");
    each_way(|scratch| {
        scratch.apply(&outer);
        assert_eq!(scratch.names(), ["carrier", "last"]);
    });
    // The header says none, the record says all.
    let mut bytes = Vec::new();
    let record = format!("{} size={}\n", 8 + inner.len().to_string().len(), inner.len());
    bytes.extend(Archive::new().with(member("pax", b'x').content(record)).bytes());
    bytes.truncate(bytes.len() - 1024);
    let carrier = Archive::new().file("carrier", "").bytes();
    bytes.extend(&carrier[..512]);
    bytes.extend(&inner);
    bytes.extend(Archive::new().file("last", "").bytes());
    let scratch = Scratch::new(Way::Tool);
    let output = support::run(&[scratch.root()], &bytes);
    assert!(!scratch.has("smuggled"), "{output:?}");
}

#[test]
fn a_newline_in_an_extended_header_forges_nothing() {
    let layer = Archive::new()
        .with(member("l", b'2').link("honest").xattr("trusted.x", "\n22 linkpath=/etc/evil\n"))
        .with(member("f", b'0').xattr("user.x", "a\n17 path=smuggled\n"));
    each_way(|scratch| {
        scratch.apply(&layer);
        assert_eq!(fs::read_link(scratch.path("l")).unwrap().to_str(), Some("honest"));
        assert_eq!(scratch.names(), ["f", "l"]);
        assert_eq!(xattrs(&scratch.path("f"))["user.x"], b"a\n17 path=smuggled\n");
    });
}

#[test]
fn overlay_marks_of_a_layer_are_not_obeyed() {
    // A17 and A18: podman hid lower files for a device 0:0 and for an attribute.
    each_way(|scratch| {
        let device = Archive::new().with(member("x", b'3').device(0, 0));
        scratch.refuse(&device, "overlayfs's whiteout");
        let marked = Archive::new()
            .with(member("d", b'5').xattr("trusted.overlay.opaque", "y"))
            .with(member("e", b'5').xattr("user.overlay.opaque", "y"))
            .with(member("f", b'0').xattr("trusted.overlay.redirect", "/etc/shadow"));
        scratch.apply(&marked);
        for path in ["d", "e", "f"] {
            assert!(xattrs(&scratch.path(path)).is_empty(), "{path}");
        }
    });
}

#[test]
fn device_numbers_are_not_cut_off() {
    if !is_root("making devices") {
        return;
    }
    for (major, minor) in [(0x1000, 0), (0, 0x10_0000), (1 << 20, 3)] {
        let layer = Archive::new().with(member("x", b'3').device(major, minor));
        each_way(|scratch| {
            assert!(scratch.try_apply(&layer).is_err(), "{major}:{minor}");
            assert!(!scratch.has("x"));
        });
    }
    each_way(|scratch| {
        scratch.apply(&Archive::new().with(member("x", b'4').device(0xfff, 0xf_ffff)));
    });
}

#[test]
fn bombs_meet_limits() {
    // CVE-2017-14992 and CVE-2025-58183.
    let mut encoder =
        common::compression::Encoder::new(Vec::new(), common::compression::Format::Gzip, None)
            .unwrap();
    let bomb = Archive::new().file("x", vec![0; 32 << 20]).bytes();
    std::io::Write::write_all(&mut encoder, &bomb).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 100_000);
    let scratch = Scratch::new(Way::Tool);
    let new = scratch.path("new");
    let output = support::run(&["--max-size=1M".as_ref(), new.as_os_str()], &bomb);
    assert_eq!(output.status.code(), Some(2));
    let line =
        "layer-apply: standard input: the layer holds more than the limit of 1048576 bytes\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), line);
    assert!(!scratch.has("new"));

    let many = (0..100).fold(Archive::new(), |layer, number| layer.dir(format!("{number}")));
    let output = support::run(&["--max-entries=99".as_ref(), new.as_os_str()], &many.bytes());
    assert_eq!(output.status.code(), Some(2));
    let long = Archive::new().with(member("x", b'0').pax("comment", vec![b'c'; 2 << 20]));
    let output = support::run(&[new.as_os_str()], &long.bytes());
    assert_eq!(output.status.code(), Some(2));
    let output = support::run(&["--max-metadata=4M".as_ref(), new.as_os_str()], &long.bytes());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn hostile_names_drive_no_terminal_and_forge_no_line() {
    let scratch = Scratch::new(Way::Tool);
    let layer = Archive::new().hardlink("\x1b]52;c;x\x07\nlayer-apply: ok", "never");
    let output = support::run(&[scratch.root()], &layer.bytes());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.starts_with("layer-apply: \\033]52;c;x\\007\\012layer-apply: ok: hard link"));
}

#[test]
fn directories_that_are_exchanged_for_links_lead_nowhere() {
    // CVE-2018-15664: a race between looking and using.
    use std::sync::atomic::AtomicBool;
    for way in [Way::Openat2, Way::Walk] {
        let scratch = Scratch::new(way);
        let mut layer = Archive::new();
        for number in 0..100 {
            layer = layer
                .dir("d")
                .with(member("d/canary", b'0').content("dead").mode(0o4777))
                .with(member("d/s/canary", b'0').content("dead").mtime(number))
                .whiteout("d/.wh.other")
                .hardlink("d/linked", "d/canary")
                .with(member("d/s", b'5').mode(0o777))
                .symlink("d/canary", "canary")
                .whiteout("d/.wh..wh..opq");
        }
        let stop = AtomicBool::new(false);
        let (mut applied, mut failed) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| exchange(&fs::File::open(scratch.root()).unwrap(), &stop));
            // A failed assertion must end the other thread, too.
            let _stop = StopOnDrop(&stop);
            for _ in 0..30 {
                // Failing is allowed, leaving the root is not.
                match scratch.try_apply(&layer) {
                    Ok(()) => applied += 1,
                    Err(_) => failed += 1,
                }
            }
        });
        scratch.assert_contained();
        eprintln!("{way:?}: {applied} layers applied, {failed} failed in the race");
    }
}

struct StopOnDrop<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Exchanges directories for links to the outside, itself never following one.
fn exchange(root: &fs::File, stop: &std::sync::atomic::AtomicBool) {
    use rustix::fs::{Mode, OFlags, RenameFlags, mkdirat, openat, renameat_with, symlinkat};
    let mode = Mode::from_raw_mode(0o755);
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        let _ = mkdirat(root, "d", mode);
        let _ = symlinkat("../outside", root, "trap");
        if let Ok(d) = openat(root, "d", flags, Mode::empty()) {
            let _ = mkdirat(&d, "s", mode);
            let _ = symlinkat("../../outside", &d, "trap");
            let _ = renameat_with(&d, "s", &d, "trap", RenameFlags::EXCHANGE);
        }
        let _ = renameat_with(root, "d", root, "trap", RenameFlags::EXCHANGE);
    }
}
