//! What a union shows, compared with what the same layers make when they are
//! applied (law 4), in every way in which it can be had; and the cache of unpacked
//! layers that it is made from.
//!
//! `LAYERUTILS_TEST_CASES` says how many stacks are tried, `LAYERUTILS_TEST_ROOTFS`
//! names the archive of a real root file system.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;
use std::path::{Path, PathBuf};

use layerutils_tests::fixture::image;
use layerutils_tests::require;
use layerutils_tests::requirement::{Requirement, find, is_root, skip};
use layerutils_tests::sandbox::{Sandbox, User};
use layerutils_tests::tree::strategy::Scope;
use layerutils_tests::tree::{change, dump, read, write};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// The tool that prints a tree, where a command in another namespace can reach it.
fn dump_tool(sandbox: &Sandbox) -> PathBuf {
    let built = std::env::var_os("LAYERUTILS_TREE_DUMP");
    let built = built.unwrap_or_else(|| env!("CARGO_BIN_EXE_tree-dump").into());
    let reachable = sandbox.path("../tree-dump");
    fs::copy(built, &reachable).unwrap();
    reachable
}

fn cases() -> u32 {
    let asked = std::env::var("LAYERUTILS_TEST_CASES");
    asked.ok().and_then(|cases| cases.parse().ok()).unwrap_or(8)
}

/// Gives the store to the sandbox's user.
fn own(sandbox: &Sandbox, path: &Path) {
    if sandbox.user() != User::current() {
        let owner = format!("{}:{}", sandbox.user().uid, sandbox.user().gid);
        let _ = Sandbox::new().run(&["chown", "-R", &owner, path.to_str().unwrap()]).succeeds();
    }
}

/// Tries `check` on stores with an image `stack` of generated layers, given the dump
/// of the tree that they make.
fn for_stacks(sandbox: &Sandbox, scope: Scope, check: impl Fn(&str)) {
    let rng_seed = match Config::default().rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        asked => asked,
    };
    let mut runner = TestRunner::new(Config { rng_seed, ..Config::default() });
    let strategy = change::series(scope, 14, 3);
    for _ in 0..cases() {
        let trees = strategy.new_tree(&mut runner).unwrap().current();
        for entry in fs::read_dir(sandbox.work()).unwrap().flatten() {
            let _ = fs::remove_dir_all(entry.path());
        }
        let _ = fs::remove_dir_all(sandbox.store());
        let mut layers = Vec::new();
        for (index, tree) in trees.iter().enumerate() {
            write(tree, &sandbox.path(format!("t{index}")));
            let lower = index.checked_sub(1).map(|lower| format!("t{lower}")).unwrap_or_default();
            let line = format!("layer-diff {lower} t{index}");
            layers.push(image::Layer::plain(sandbox.words(&line).succeeds().stdout));
        }
        image::put(&sandbox.store(), "stack:latest", &layers, &image::config());
        own(sandbox, &sandbox.store());
        let last = sandbox.path(format!("t{}", trees.len() - 1));
        check(&dump::dump(&read(&last).unwrap()));
    }
}

fn assert_shown(sandbox: &Sandbox, expected: &str, script: &str) {
    let shown = sandbox.sh(script).outcome();
    assert_eq!(shown.status, 0, "{shown}");
    let difference = dump::difference(expected, shown.text());
    assert!(difference.is_empty(), "{script} (+):\n{difference}");
}

/// A script that dumps the image as `driver` shows it at a mount point.
fn at_point(driver: &str) -> String {
    let unmount = if driver.starts_with("copy") { "" } else { "&& union-mount --unmount mnt" };
    format!(
        "mkdir mnt && unshare --mount sh -ec 'union-mount --driver {driver} --image stack mnt && \
         ../tree-dump mnt {unmount}'; status=$?; rm -rf mnt; exit $status"
    )
}

#[test]
fn law_4_holds_for_every_driver_of_roots() {
    require!(Root);
    let sandbox = Sandbox::new();
    dump_tool(&sandbox);
    for_stacks(&sandbox, Scope::Root, |expected| {
        // A copy holds only what may have effect.
        for driver in ["overlay", "userxattr", "copy --suid --dev"] {
            assert_shown(&sandbox, expected, &at_point(driver));
        }
    });
}

#[test]
fn law_4_holds_for_fuse_overlayfs() {
    require!(Root, Peer("fuse-overlayfs"));
    let sandbox = Sandbox::new();
    dump_tool(&sandbox);
    for_stacks(&sandbox, Scope::User(User::current()), |expected| {
        assert_shown(&sandbox, expected, &at_point("fuse"));
    });
}

#[test]
fn law_4_holds_for_a_user_with_subordinate_ids() {
    require!(UserNamespace, Peer("newuidmap"));
    let sandbox = Sandbox::ordinary();
    let many = "unshare --map-auto --map-root-user --mount";
    if sandbox.sh(&format!("{many} true 2>/dev/null")).outcome().status != 0 {
        return skip("", "needs a test user with subordinate ids (LAYERUTILS_TEST_USER)");
    }
    dump_tool(&sandbox);
    // Many owners, as only such a user can have them.
    let make = format!(
        "{many} sh -ec 'mkdir -p t/d && for id in 0 1 1000 65535; do echo $id > t/f$id; \
         chown $id:$id t/f$id; chmod 6755 t/f$id; done; chown 33:33 t/d; layer-diff t > one; \
         chown 7:8 t/f1; rm t/f0; ln -s x t/d/l; chown -h 5:5 t/d/l; mkdir -p u; cp -a t u/; \
         layer-diff t > two'"
    );
    let _ = sandbox.sh(&make).succeeds();
    let store = "img-commit --quiet -t low scratch one && img-commit --quiet -t stack low two";
    let _ = sandbox.sh(store).outcome();
    let applied =
        sandbox.sh(&format!("{many} sh -ec 'layer-apply --image stack a >&2; ../tree-dump a'"));
    let applied = applied.outcome();
    assert_eq!(applied.status, 0, "{applied}");
    assert!(
        applied.text().contains(" 7:8 ") && applied.text().contains(" 65535:65535 "),
        "{applied}"
    );
    let mounted = format!(
        "mkdir mnt && {many} sh -ec 'union-mount --image stack mnt && ../tree-dump mnt && \
         union-mount --unmount mnt'"
    );
    assert_shown(&sandbox, applied.text(), &mounted);
    let remove = sandbox.sh(&format!("{many} rm -rf t u a one two \"$XDG_CACHE_HOME\"/layerutils"));
    let _ = remove.outcome();
}

/// An image `app` of four layers on a real root file system.
fn real_image(sandbox: &Sandbox) {
    let archive = PathBuf::from(std::env::var_os("LAYERUTILS_TEST_ROOTFS").unwrap());
    let archive = archive.canonicalize().unwrap();
    let changes = [
        "rm -r /usr/share/doc /etc/debian_version && mkdir /usr/share/doc && touch /usr/share/doc/x",
        "mv /usr/share/perl5 /usr/share/moved && chmod 700 /opt && ln /etc/passwd /etc/passwd.link",
        "rm -r /usr/share/moved && mkfifo /srv/fifo && echo again > /etc/debian_version && \
         chown 33:33 /srv && chmod 2750 /srv",
    ];
    let first = format!("img-commit --quiet -t app0 scratch {}", archive.display());
    let _ = sandbox.sh(&first).outcome();
    for (index, change) in changes.iter().enumerate() {
        let (from, to) = (index, index + 1);
        let script = format!(
            "union-mount --image app{from} --upper up{to} -- sh -ec '{change}' && \
             layer-diff --overlay up{to} | img-commit --quiet -t app{to} app{from}"
        );
        let committed = sandbox.sh(&script).outcome();
        assert_eq!(committed.status, 0, "{committed}");
    }
}

#[test]
fn a_real_image_of_four_layers_is_the_same_to_everybody() {
    require!(Variable("LAYERUTILS_TEST_ROOTFS"), Root);
    let sandbox = Sandbox::new();
    dump_tool(&sandbox);
    real_image(&sandbox);
    let _ = sandbox.sh("layer-apply --quiet --image app3 applied").outcome();
    let expected = dump::dump(&read(&sandbox.path("applied")).unwrap());
    assert!(expected.lines().count() > 1000, "that is no root file system");
    let mounted = "mkdir mnt && unshare --mount sh -ec 'union-mount --driver DRIVER --image app3 mnt \
                   && ../tree-dump mnt'; rm -rf mnt";
    for driver in ["overlay", "userxattr", "copy --suid --dev", "fuse"] {
        if driver == "fuse" && find("fuse-overlayfs").is_none() {
            skip(" (fuse)", "needs fuse-overlayfs");
            continue;
        }
        assert_shown(&sandbox, &expected, &mounted.replace("DRIVER", driver));
    }
    match Requirement::Peer("umoci").check() {
        Err(reason) => skip(" (umoci)", &reason),
        Ok(()) => {
            let unpack = "umoci raw unpack --image \"$LAYERUTILS_STORE:app3:latest\" theirs 2>/dev/null \
                          && ../tree-dump theirs";
            assert_shown(&sandbox, &expected, unpack);
        }
    }
    if let Err(reason) = Requirement::DockerDaemon.check() {
        return skip(" (docker)", &reason);
    }
    let export = "img-copy --quiet app3 docker-archive:app3.tar:app3:latest && docker load -qi app3.tar && \
                  id=$(docker create --network none app3 true) && mkdir exported && \
                  docker export \"$id\" | tar -C exported --numeric-owner -xpf - && \
                  docker rm \"$id\" && docker rmi -f app3";
    let exported = sandbox.sh(export).outcome();
    assert_eq!(exported.status, 0, "{exported}");
    // docker's own mount points, and what an export leaves out: fractions of
    // seconds and extended attributes.
    let plain = |text: &str| -> Vec<String> {
        let own = ["./.dockerenv ", "./dev", "./proc", "./sys", "./ "];
        let own_files = ["./etc/hosts ", "./etc/hostname ", "./etc/resolv.conf ", "./etc/mtab "];
        let lines = text.lines().filter(|line| {
            !own.iter().chain(&own_files).any(|name| line.starts_with(name))
                && !line.starts_with("./etc ")
        });
        let fields = lines.map(|line| {
            let words = line.split(' ').filter(|word| !word.contains('='));
            let words = words.map(|word| {
                word.split_once('.').map_or(word, |(whole, rest)| {
                    let is_time = rest.len() == 9 && rest.bytes().all(|byte| byte.is_ascii_digit());
                    if is_time { whole } else { word }
                })
            });
            words.collect::<Vec<_>>().join(" ")
        });
        fields.collect()
    };
    let shown = dump::dump(&read(&sandbox.path("exported")).unwrap());
    assert_eq!(plain(&shown), plain(&expected));
}

/// An image `base` of three layers with a shell in it.
fn busybox_image(sandbox: &Sandbox) {
    let script = "mkdir -p base/bin && cp \"$(command -v busybox)\" base/bin && \
                  for name in sh cat sleep touch; do ln -s busybox base/bin/$name; done && \
                  layer-diff base | img-commit --quiet -t one scratch && mkdir up && \
                  for n in $(seq 300); do echo $n > up/file$n; done && \
                  layer-diff --overlay up | img-commit --quiet -t two one && rm up/* && \
                  mkdir up/etc && echo three > up/etc/three && \
                  layer-diff --overlay up | img-commit --quiet -t base two && rm -r base up";
    let made = sandbox.sh(script).outcome();
    assert_eq!(made.status, 0, "{made}");
}

/// The unpacked layers and what else is in the cache's folder for them.
fn cached(sandbox: &Sandbox) -> Vec<String> {
    let kinds = fs::read_dir(sandbox.path("../cache/layerutils/unpacked")).unwrap();
    let entries = kinds.flatten().flat_map(|kind| fs::read_dir(kind.path()).unwrap().flatten());
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.ends_with(".lock")).collect()
}

fn in_each_role(check: impl Fn(&Sandbox)) {
    if is_root() {
        check(&Sandbox::new());
    }
    check(&Sandbox::ordinary());
}

#[test]
fn sixteen_first_uses_unpack_once() {
    require!(UserNamespace, Peer("busybox"));
    in_each_role(|sandbox| {
        busybox_image(sandbox);
        let argv =
            ["union-mount", "-v", "--image", "base", "--", "sh", "-c", "cat /etc/three /file7"];
        let running: Vec<_> = (0..16).map(|_| sandbox.run(&argv).start()).collect();
        let mut unpacked = 0;
        for one in running {
            let outcome = one.wait();
            assert_eq!((outcome.status, outcome.text()), (0, "three\n7\n"), "{outcome}");
            let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
            unpacked += said.lines().filter(|line| line.contains("unpacking layer")).count();
        }
        assert_eq!(unpacked, 3, "a layer was unpacked twice");
        let names = cached(sandbox);
        assert!(
            names.len() == 3 && names.iter().all(|name| !name.contains("partial")),
            "{names:?}"
        );
    });
}

#[test]
fn a_cache_that_is_deleted_costs_time_only() {
    require!(UserNamespace, Peer("busybox"));
    in_each_role(|sandbox| {
        busybox_image(sandbox);
        let argv = ["union-mount", "--image", "base", "--", "sh", "-c", "cat /etc/three /file7"];
        for path in ["../cache/layerutils", "../cache/layerutils/unpacked"] {
            let _ = sandbox.run(&argv).succeeds();
            // A command that runs keeps what it has open.
            let script = "exec 3</file7; touch /ready; sleep 2; cat <&3";
            let open =
                ["union-mount", "--upper", "up", "--image", "base", "--", "sh", "-c", script];
            let running = sandbox.run(&open).start();
            while fs::metadata(sandbox.path("up/ready")).is_err() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            fs::remove_dir_all(sandbox.path(path)).unwrap();
            assert_eq!(running.wait().succeeded().text(), "7\n");
            fs::remove_dir_all(sandbox.path("up")).unwrap();
            assert_eq!(sandbox.run(&argv).succeeds().text(), "three\n7\n");
        }
        assert_eq!(cached(sandbox).len(), 3);
    });
}

#[test]
fn a_full_disk_leaves_no_half_of_a_layer() {
    require!(Root, Peer("busybox"));
    let sandbox = Sandbox::new();
    busybox_image(&sandbox);
    let script = "unshare --mount sh -c 'mkdir small && mount -t tmpfs -o size=1200k none small && \
                  export XDG_CACHE_HOME=$PWD/small && \
                  union-mount --image base -- cat /etc/three; echo $?; \
                  find small -name \"*.partial\"; mount -o remount,size=20m small && \
                  union-mount --image base -- cat /etc/three; echo $?; umount small; rmdir small'";
    let outcome = sandbox.sh(script).outcome();
    assert_eq!(outcome.text(), "125\nthree\n0\n", "{outcome}");
    let said = outcome.diagnostics("union-mount");
    assert!(said.contains("No space left on device"), "{said}");
}
