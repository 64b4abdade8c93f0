//! `RUN --mount`: where mounts are, whose they are, and what they begin with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use support::{Bench, busybox, skip};

/// A bench with a static busybox as /bin/sh in the image `bb`.
fn bench() -> Option<Bench> {
    let busybox = busybox()?;
    let bench = Bench::new();
    std::fs::copy(busybox, bench.path("ctx/busybox")).unwrap();
    bench.write("Base", "FROM scratch\nCOPY busybox /bin/sh\nCOPY busybox /bin/busybox\n");
    let built = bench.run(&["-t", "bb", "-f", "ctx/Base", "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    Some(bench)
}

/// The file /out that `lines` write.
fn out(bench: &Bench, lines: &str, arguments: &[&str]) -> String {
    let image = bench.build_with(&format!("FROM bb\n{lines}"), arguments);
    let last = image.last();
    let out = last.iter().find_map(|line| line.split_once(" out ")).map(|(_, text)| text);
    let text = out.unwrap_or_else(|| panic!("{lines}: {last:?}"));
    text.trim_matches('"').replace("\\n", "\n").trim().to_owned()
}

#[test]
fn a_relative_target_begins_at_the_working_directory() {
    let Some(bench) = bench() else { return skip("no static busybox (busybox-static)") };
    bench.write("f", "F");
    bench.write("secret", "S");
    let secret = ["--secret", "id=s,src=ctx/secret"];
    for (mount, command, expected) in [
        ("source=f,target=f", "busybox cat /w/f", "F"),
        ("source=f,target=../g", "busybox cat /g", "F"),
        ("source=f,target=./d/../h", "busybox cat /w/h", "F"),
        ("type=cache,target=c", "busybox grep -c \" /w/c \" /proc/mounts", "1"),
        ("type=cache,target=../c", "busybox grep -c \" /c \" /proc/mounts", "1"),
        ("type=tmpfs,target=t", "busybox grep -c \" /w/t \" /proc/mounts", "1"),
        ("type=secret,id=s,target=s", "busybox cat /w/s", "S"),
    ] {
        let lines = format!("WORKDIR /w\nRUN --mount={mount} {command} >/out\n");
        assert_eq!(out(&bench, &lines, &secret), expected, "{mount}");
    }
}

#[test]
fn the_root_is_no_target() {
    let bench = Bench::new();
    for target in ["/", "/.", "..", "$NONE/"] {
        let message = bench.fail(&format!(
            "FROM scratch\nARG NONE\nWORKDIR /w\nRUN --mount=type=tmpfs,target={target} true\n"
        ));
        assert!(message.ends_with("RUN: --mount: the target cannot be /\n"), "{target}: {message}");
    }
}

#[test]
fn mounts_have_the_owner_and_the_mode_that_they_are_given() {
    let Some(bench) = bench() else { return skip("no static busybox (busybox-static)") };
    bench.write("secret", "S");
    let secret = ["--secret", "id=s,src=ctx/secret"];
    let attributes = |path: &str| format!("busybox stat -c '%u:%g %a' {path} >/out");
    let owner = |expected: &'static str| match bench.is_user() {
        true => "0:0",
        false => expected,
    };
    for (mount, path, expected) in [
        ("type=cache,target=/c1,uid=5,gid=6,mode=0777", "/c1", format!("{} 777", owner("5:6"))),
        ("type=cache,target=/c2,mode=2770", "/c2", "0:0 2770".to_owned()),
        ("type=cache,target=/c3", "/c3", "0:0 755".to_owned()),
        ("type=secret,id=s,uid=5", "/run/secrets/s", format!("{} 400", owner("5:0"))),
        ("type=secret,id=s,gid=6,mode=0444", "/run/secrets/s", format!("{} 444", owner("0:6"))),
    ] {
        let lines = format!("RUN --mount={mount} {}\n", attributes(path));
        assert_eq!(out(&bench, &lines, &secret), expected, "{mount}");
    }
}

#[test]
fn a_cache_begins_with_what_it_is_seeded_from() {
    let Some(bench) = bench() else { return skip("no static busybox (busybox-static)") };
    let text = "FROM scratch AS s\nCOPY <<E /seed/a/f\nF\nE\nFROM bb\nRUN --mount=type=cache,target=/c,from=s,source=/seed busybox find /c | busybox sort >/out; echo new >/c/a/f\n";
    let image = bench.build(text);
    assert_eq!(image.last(), ["f 0644 0:0 out \"/c\\n/c/a\\n/c/a/f\\n\""]);
    // It is seeded once.
    let text = text.replace("busybox find /c | busybox sort", "busybox cat /c/a/f");
    assert_eq!(bench.build(&text).last(), ["f 0644 0:0 out \"new\\n\""]);
}

#[test]
fn a_stage_that_is_mounted_where_a_variable_says_is_built() {
    let Some(bench) = bench() else { return skip("no static busybox (busybox-static)") };
    let text = "FROM scratch AS s\nCOPY <<E /f\nF\nE\nFROM bb\nARG T=/t\nRUN --mount=from=s,target=$T busybox cat /t/f >/out\n";
    assert_eq!(bench.build(text).last(), ["f 0644 0:0 out \"F\\n\""]);
}
