//! `RUN --mount`: where mounts are, whose they are, and what they begin with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use support::{Bench, skip, with_busybox};

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
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
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
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    bench.write("secret", "S");
    let mut options = vec!["--secret", "id=s,src=ctx/secret"];
    if bench.is_user() {
        options.extend(["--users", "single"]);
    }
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
        assert_eq!(out(&bench, &lines, &options), expected, "{mount}");
    }
}

#[test]
fn a_cache_begins_with_what_it_is_seeded_from() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let text = "FROM scratch AS s\nCOPY <<E /seed/a/f\nF\nE\nFROM bb\nRUN --mount=type=cache,target=/c,from=s,source=/seed busybox find /c | busybox sort >/out; echo new >/c/a/f\n";
    let image = bench.build(text);
    assert_eq!(image.last(), ["f 0644 0:0 out \"/c\\n/c/a\\n/c/a/f\\n\""]);
    // It is seeded once.
    let text = text.replace("busybox find /c | busybox sort", "busybox cat /c/a/f");
    assert_eq!(bench.build(&text).last(), ["f 0644 0:0 out \"new\\n\""]);
}

#[test]
fn another_seed_makes_another_cache() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    for seed in ["one", "two"] {
        let text = format!(
            "FROM scratch AS s\nCOPY <<E /f\n{seed}\nE\nFROM bb\nRUN --mount=type=cache,target=/c,from=s busybox cat /c/f >/out\n"
        );
        assert_eq!(bench.build(&text).last(), [format!("f 0644 0:0 out \"{seed}\\n\"")]);
    }
}

#[test]
fn a_stage_that_is_mounted_where_a_variable_says_is_built() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let text = "FROM scratch AS s\nCOPY <<E /f\nF\nE\nFROM bb\nARG T=/t\nRUN --mount=from=s,target=$T busybox cat /t/f >/out\n";
    assert_eq!(bench.build(text).last(), ["f 0644 0:0 out \"F\\n\""]);
}

/// The inode of a file of the context.
fn inode(bench: &Bench, name: &str) -> String {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(bench.path("ctx").join(name)).unwrap().ino().to_string()
}

#[test]
fn the_context_is_mounted_and_not_copied() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    bench.write("d/f", "F");
    let see = "RUN --mount=target=/m,source=d busybox stat -c %i /m/f >/out\n";
    assert_eq!(out(&bench, see, &[]), inode(&bench, "d/f"));
    let see = "RUN --mount=target=/m,source=d/f busybox stat -c %i /m >/out\n";
    assert_eq!(out(&bench, see, &[]), inode(&bench, "d/f"));
    // Written files are discarded.
    let write = "RUN --mount=target=/m,source=d,rw echo G >/m/f; busybox cat /m/f >/out\n";
    assert_eq!(out(&bench, write, &[]), "G");
    let write = "RUN --mount=target=/m,source=d echo G >/m/f && exit 1; busybox cat /m/f >/out\n";
    assert_eq!(out(&bench, write, &[]), "F");
    assert_eq!(std::fs::read_to_string(bench.path("ctx/d/f")).unwrap(), "F");
}

#[test]
fn ignored_files_are_not_to_be_seen_in_a_mount() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    bench.write("d/f", "F");
    bench.write("d/hidden", "H");
    bench.write(".dockerignore", "d/hidden\n");
    let see =
        "RUN --mount=target=/m,source=d busybox ls /m >/out; busybox stat -c %i /m/f >>/out\n";
    let first = out(&bench, see, &["--no-cache"]);
    let (names, copy) = first.split_once('\n').unwrap();
    assert_eq!(names, "f");
    assert_ne!(copy, inode(&bench, "d/f"));
    // The copy is made once.
    assert_eq!(out(&bench, see, &["--no-cache"]), first);
    bench.write("d/f", "G");
    assert_ne!(out(&bench, see, &["--no-cache"]), first);
    // Of those that are not used any more, a few stay.
    for number in 0..8 {
        bench.write("d/f", &format!("{number}"));
        out(&bench, see, &["--no-cache"]);
    }
    let boots = std::fs::read_dir(bench.path("cache/layerutils/snapshots")).unwrap();
    let snapshots = boots.flat_map(|boot| std::fs::read_dir(boot.unwrap().path()).unwrap());
    let is_whole = |name: &str| !name.contains('.');
    let kept =
        snapshots.filter(|entry| is_whole(entry.as_ref().unwrap().file_name().to_str().unwrap()));
    assert_eq!(kept.count(), 4);
}

#[test]
fn a_result_is_not_kept_if_the_context_changed_meanwhile() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let file = bench.write("d/f", "F");
    let text = "FROM bb\nRUN --mount=target=/m,source=d busybox sleep 2; echo x >/out\n";
    bench.write("Containerfile", text);
    let built = std::thread::scope(|scope| {
        let building = scope.spawn(|| bench.run(&["ctx"], b""));
        std::thread::sleep(std::time::Duration::from_millis(1200));
        std::fs::write(&file, "G").unwrap();
        std::fs::write(&file, "F").unwrap();
        building.join().unwrap()
    });
    assert_eq!(built.status, 0, "{}", built.stderr);
    assert!(built.stderr.contains("the context changed while a step read it"), "{}", built.stderr);
    assert_eq!(bench.hits(&[]), [false], "the step is executed again");
    assert_eq!(bench.hits(&[]), [true]);
}

#[test]
fn an_agent_is_there_for_those_who_mount_it() {
    let Some(mut bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let socket = bench.path("agent");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let see = "busybox stat -c '%F %u:%g %a' $SSH_AUTH_SOCK >/out; echo $SSH_AUTH_SOCK >>/out";
    let given = format!("default={}", socket.display());
    for (mount, arguments, expected) in [
        ("type=ssh", ["--ssh", given.as_str()], "socket 0:0 600\n/run/buildkit/ssh_agent.0"),
        (
            "type=ssh,uid=5,gid=6,mode=0666,target=/s",
            ["--ssh", given.as_str()],
            "socket 5:6 666\n/s",
        ),
    ] {
        if bench.is_user() && mount.contains("uid") {
            continue;
        }
        assert_eq!(out(&bench, &format!("RUN --mount={mount} {see}\n"), &arguments), expected);
    }
    let absent = "RUN --mount=type=ssh echo \"<$SSH_AUTH_SOCK>\" >/out\n";
    assert_eq!(out(&bench, absent, &[]), "<>");
    bench.env.insert("SSH_AUTH_SOCK".into(), socket.display().to_string());
    let image = bench.build_with(
        "FROM bb\nRUN --mount=type=ssh,id=mine busybox test -S $SSH_AUTH_SOCK && echo x >/out\n",
        &["--ssh", "mine"],
    );
    assert_eq!(image.last(), ["f 0644 0:0 out \"x\\n\""]);
    bench.write("key", "");
    for (bad, expected) in [
        ("default=ctx/key", "not a socket"),
        ("default=nowhere", "nowhere"),
        ("=agent", "the id is missing"),
    ] {
        let built = bench.run(&["--ssh", bad, "ctx"], b"");
        assert_eq!(built.status, 2, "{bad}");
        assert!(built.stderr.contains(expected), "{bad}: {}", built.stderr);
    }
}
