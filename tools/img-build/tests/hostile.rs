//! Containerfiles and archives that want more than they should have.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::process::Command;

use support::Bench;

#[test]
fn nothing_grows_or_nests_without_end() {
    let deep = "/a".repeat(50_000);
    let mut doubling = String::from("FROM scratch\nENV x=0123456789abcdef\n");
    for _ in 0..40 {
        doubling.push_str("ENV x=$x$x\n");
    }
    let mut many = format!("FROM scratch\nENV x={}\n", "y".repeat(100_000));
    for number in 0..100 {
        many.push_str(&format!("LABEL l{number}=$x\n"));
    }
    for (text, expected) in [
        (format!("FROM scratch\nWORKDIR {deep}"), "a path is longer than 4096 bytes"),
        (format!("FROM scratch\nCOPY nonce {deep}/"), "a path is longer than 4096 bytes"),
        (format!("FROM scratch\nCOPY {deep} /"), "a path is longer than 4096 bytes"),
        (format!("FROM scratch\nLABEL a={}", "${x:-".repeat(100_000)), "nested more than 64 deep"),
        (doubling, "the result is longer than 131072 bytes"),
        (many, "the image's config and history are longer than"),
        ("x".repeat(5 << 20), "larger than 4194304 bytes"),
    ] {
        let message = Bench::new().fail(&text);
        assert!(message.contains(expected), "{}", message.chars().take(300).collect::<String>());
        assert!(message.len() < 2000, "{} bytes of message", message.len());
    }
}

#[test]
fn directories_cannot_be_nested_stage_by_stage() {
    let bench = Bench::new();
    let deep = "/a".repeat(1500);
    let text = format!(
        "FROM scratch AS one\nCOPY nonce {deep}/\nFROM scratch\nCOPY --from=one / {deep}/\n"
    );
    let message = bench.fail(&text);
    assert_eq!(
        message,
        "img-build: Containerfile:4: COPY: directories are nested more than 2048 deep\n"
    );
}

#[test]
fn archives_cannot_leave_the_destination() {
    let bench = Bench::new();
    let made = Command::new("python3")
        .current_dir(bench.path("ctx"))
        .args([
            "-c",
            r#"
import tarfile, io
def archive(name, *members):
    with tarfile.open(name, 'w') as tar:
        for path, kind, target in members:
            info = tarfile.TarInfo(path); info.type = kind; info.linkname = target
            tar.addfile(info, io.BytesIO())
archive('up.tar', ('../x', tarfile.REGTYPE, ''))
archive('link.tar', ('l', tarfile.SYMTYPE, '/../../etc'), ('l/x', tarfile.REGTYPE, ''))
archive('hard.tar', ('h', tarfile.LNKTYPE, '../../etc/passwd'))
archive('none.tar', ('h', tarfile.LNKTYPE, 'etc/passwd'))
archive('wh.tar', ('.wh.x', tarfile.REGTYPE, ''))
archive('abs.tar', ('/abs/x', tarfile.REGTYPE, ''))
"#,
        ])
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return support::skip("no python3");
    }
    for (name, expected) in [
        ("up.tar", "../x: the path holds '..'"),
        ("hard.tar", "../../etc/passwd: the path holds '..'"),
        ("none.tar", "d/h: a hard link to nothing"),
        ("wh.tar", ".wh.x: a layer cannot hold a name that begins with '.wh.'"),
    ] {
        let message = bench.fail(&format!("FROM scratch\nADD {name} /d/"));
        assert_eq!(message, format!("img-build: Containerfile:2: ADD: {expected}\n"));
    }
    let image = bench.build("FROM scratch\nADD link.tar abs.tar /d/");
    assert_eq!(
        image.last(),
        [
            "d 0755 0:0 d/",
            "d 0755 0:0 d/abs/",
            "f 0644 0:0 d/abs/x \"\"",
            "d 0755 0:0 d/etc/",
            "f 0644 0:0 d/etc/x \"\"",
            "l 0644 0:0 d/l -> /../../etc",
        ]
    );
}

#[test]
fn mounts_take_no_options_that_reach_out_of_them() {
    // CVE-2024-9407: the propagation of a mount, taken unread.
    let message = Bench::new()
        .fail("FROM scratch\nRUN --mount=type=bind,target=/x,bind-propagation=rshared true");
    assert!(message.contains("unknown key 'bind-propagation'"), "{message}");
}
