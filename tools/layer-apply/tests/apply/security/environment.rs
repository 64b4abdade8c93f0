//! What lies about where the tool is run, and what its messages do there.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::support::{self, Archive, Scratch, Way, feed, tool};

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
fn hostile_names_drive_no_terminal_and_forge_no_line() {
    let scratch = Scratch::new(Way::Tool);
    let layer = Archive::new().hardlink("\x1b]52;c;x\x07\nlayer-apply: ok", "never");
    let output = support::run(&[scratch.root()], &layer.bytes());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.starts_with("layer-apply: \\033]52;c;x\\007\\012layer-apply: ok: hard link"));
}

#[test]
fn no_program_is_run_and_no_name_is_looked_up() {
    // CVE-2014-9357 (a decompressor from within the image), CVE-2019-14271 (a library
    // of names from there): what the tool needs, it has in itself.
    use std::os::unix::fs::PermissionsExt as _;
    if !support::is_root("giving files away") {
        return;
    }
    let scratch = Scratch::new(Way::Tool);
    let trap = format!("#!/bin/sh\necho dead > {}\n", scratch.beside("canary").display());
    let mut layer = Archive::new().file("etc/passwd", "daemon:x:4321:4321::/:\n");
    for program in ["xz", "unxz", "gzip", "bzip2", "zstd", "tar", "newuidmap", "getent"] {
        layer =
            layer.with(support::member(format!("bin/{program}"), b'0').mode(0o755).content(&trap));
    }
    layer = layer.named(support::member("x", b'0').owner(1234, 4321), "daemon", "daemon");
    scratch.apply(&layer);
    assert!(scratch.stat("bin/xz").permissions().mode() & 0o111 != 0);
    for program in ["gzip", "xz", "bzip2", "zstd"] {
        if !support::has_program(program) {
            continue;
        }
        let packed = feed(std::process::Command::new(program).arg("-c"), &layer.bytes()).stdout;
        let mut command = tool();
        command.env("PATH", scratch.path("bin")).current_dir(scratch.path("bin"));
        let output = feed(command.arg(scratch.root()), &packed);
        assert!(output.status.success(), "{program}: {output:?}");
        scratch.assert_contained();
    }
    // By number, whatever the names say.
    assert_eq!((scratch.stat("x").uid(), scratch.stat("x").gid()), (1234, 4321));
}

#[test]
fn a_digest_is_a_digest_and_no_path() {
    // CVE-2014-9358, CVE-2024-3727.
    let scratch = Scratch::new(Way::Tool);
    let hex = "a".repeat(64);
    for digest in [
        "../../canary",
        "sha256:../../canary",
        &hex,
        &format!("sha256:{}", hex.to_uppercase()),
        &format!("sha256:{hex}/.."),
        &format!("md5:{}", &hex[..32]),
        &format!("sha256:{}", &hex[1..]),
    ] {
        for option in ["--digest", "--diff-id"] {
            let option = format!("{option}={digest}");
            let root = scratch.root();
            let output = support::run(&[option.as_ref(), root.as_os_str()], b"");
            assert_eq!(output.status.code(), Some(2), "{digest}");
            let errors = String::from_utf8(output.stderr).unwrap();
            assert!(errors.contains("not a sha256 or sha512 digest"), "{errors}");
        }
    }
}
