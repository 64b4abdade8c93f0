//! Steps that share snapshots, cache mounts and secrets: none waits for ever.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use common::digest::Digest;
use nix::fcntl::{Flock, FlockArg};
use support::{Bench, skip, with_busybox};

/// Long enough for a build to come to its first lock.
const PAUSE: Duration = Duration::from_millis(1500);

/// The directory of a cache mount.
fn cache(bench: &Bench, id: &str) -> PathBuf {
    bench.path("cache/layerutils/mounts").join(Digest::of(id.as_bytes()).hex())
}

/// Holds the lock of a cache mount.
fn hold(bench: &Bench, id: &str) -> Flock<File> {
    std::fs::create_dir_all(cache(bench, id)).unwrap();
    let path = cache(bench, id).join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(path).unwrap();
    Flock::lock(file, FlockArg::LockExclusive).unwrap()
}

#[test]
fn a_source_may_be_mounted_twice() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let bench = bench.in_time();
    bench.write("d/f", "F");
    bench.write(".dockerignore", "d/hidden\n");
    bench.write("d/hidden", "H");
    for mounts in [
        "--mount=from=s,target=/a --mount=from=s,target=/b",
        "--mount=source=d,target=/a --mount=source=d,target=/b",
    ] {
        let text = format!(
            "FROM scratch AS s\nCOPY d/f /\nFROM bb\nRUN {mounts} busybox cat /a/f /b/f >/out\n"
        );
        assert_eq!(bench.build(&text).last(), ["f 0644 0:0 out \"FF\""], "{mounts}");
    }
}

#[test]
fn stages_with_the_same_mount_run_side_by_side() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let bench = bench.in_time();
    let meet = |own: &str, other: &str| {
        format!(
            "FROM bb AS {own}\nRUN --mount=from=s,target=/s --mount=type=cache,target=/c \\\n echo x >/c/{own}; until busybox test -e /c/{other}; do busybox sleep 0.1; done; echo x >/{own}\n"
        )
    };
    let text = format!(
        "FROM scratch AS s\nCOPY nonce /\n{}{}FROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /\n",
        meet("a", "b"),
        meet("b", "a")
    );
    assert_eq!(bench.build(&text).last(), ["f 0644 0:0 b \"x\\n\""]);
}

#[test]
fn a_locked_cache_may_be_mounted_twice() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let bench = bench.in_time();
    for (first, second) in [("locked", "locked"), ("shared", "locked"), ("private", "locked")] {
        let mount = |sharing: &str, target: &str| {
            format!("--mount=type=cache,id={first},sharing={sharing},target={target}")
        };
        let text = format!(
            "FROM bb\nRUN {} {} echo x >/a/f; busybox cat /b/f >/out\n",
            mount(first, "/a"),
            mount(second, "/b")
        );
        assert_eq!(bench.build(&text).last(), ["f 0644 0:0 out \"x\\n\""], "{first} {second}");
    }
}

#[test]
fn locked_caches_in_another_order_do_not_block_each_other() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let bench = bench.in_time();
    for (first, second) in [("x", "y"), ("y", "x")] {
        let mount = |id: &str| format!("--mount=type=cache,id={id},sharing=locked,target=/{id}");
        let text = format!("FROM bb\nRUN {} {} echo {first}\n", mount(first), mount(second));
        bench.write(first, &text);
    }
    // The first waits for y; the second has x by then, and waits for y behind it.
    let held = hold(&bench, "y");
    let build = |file: &str| bench.run(&["-f", file, "ctx"], b"").status;
    let statuses = std::thread::scope(|scope| {
        let first = scope.spawn(|| build("ctx/y"));
        std::thread::sleep(PAUSE);
        let second = scope.spawn(|| build("ctx/x"));
        std::thread::sleep(PAUSE);
        drop(held);
        [first.join().unwrap(), second.join().unwrap()]
    });
    assert_eq!(statuses, [0, 0]);
}

#[test]
fn a_failure_ends_the_wait_for_a_cache() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let bench = bench.in_time();
    let held = hold(&bench, "x");
    let message = bench.fail_in(
        "FROM bb AS a\nRUN --mount=type=cache,id=x,sharing=locked,target=/x true\nFROM bb AS b\nRUN busybox sleep 1; exit 7\nFROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\n",
    );
    assert!(message.contains("Containerfile:4: RUN exited with status 7"), "{message}");
    drop(held);
}

#[test]
fn a_secret_from_a_pipe_is_read_once_for_all_stages() {
    let Some(bench) = with_busybox() else { return skip("no static busybox (busybox-static)") };
    let bench = bench.in_time();
    let pipe = bench.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let stage = |name: &str| {
        format!(
            "FROM bb AS {name}\nRUN --mount=type=secret,id=s busybox cat /run/secrets/s >/{name}\n"
        )
    };
    let text = format!(
        "{}{}FROM scratch\nCOPY --from=a /a /d/\nCOPY --from=b /b /d/\n",
        stage("a"),
        stage("b")
    );
    bench.write("Containerfile", &text);
    let built = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut pipe = File::options().write(true).open(&pipe).unwrap();
            std::thread::sleep(PAUSE);
            // If two read, each gets some of it.
            for part in ["S", "E", "C", "R", "E", "T"] {
                pipe.write_all(part.as_bytes()).unwrap();
                std::thread::sleep(PAUSE / 20);
            }
        });
        bench.run(&["--secret", "id=s,src=pipe", "ctx"], b"")
    });
    assert_eq!(built.status, 0, "{}", built.stderr);
    let image = bench.image(built.stdout.trim());
    let files: Vec<_> = (0..image.layers.len()).flat_map(|layer| image.list(layer)).collect();
    let with_content = files.iter().filter(|line| line.ends_with("\"SECRET\"")).count();
    assert_eq!(with_content, 2, "{files:?}");
}
