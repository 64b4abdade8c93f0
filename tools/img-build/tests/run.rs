//! RUN: as root and as an ordinary user, with a busybox that needs no libraries.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::os::unix::fs::PermissionsExt as _;

use support::{Bench, busybox, skip};

const BASE: &str = "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nCOPY nonce /nonce\n";

/// The benches of everybody who can build here.
fn benches() -> Vec<Bench> {
    let Some(busybox) = busybox() else {
        skip("no static busybox (busybox-static)");
        return Vec::new();
    };
    let bench = || {
        let bench = Bench::new();
        std::fs::copy(busybox, bench.path("ctx/busybox")).unwrap();
        bench
    };
    let mut benches = vec![bench()];
    if nix::unistd::geteuid().is_root() {
        match bench().for_user() {
            Some(user) => benches.push(user),
            None => skip("no setpriv: not tried as an ordinary user"),
        }
    }
    benches
}

#[test]
fn commands_change_the_image() {
    for bench in benches() {
        // An ordinary user has no other user to become.
        let user = if bench.is_user() { "0" } else { "5:6" };
        let image = bench.build(&format!(
            "{BASE}ARG V=1 W\nENV E=\"two words\"\nWORKDIR /w\nRUN echo \"$V $E\" > f && pwd >> f && rm /nonce\nRUN [\"sh\", \"-c\", \"chmod 600 /w/f\"]\nSHELL [\"/bin/sh\", \"-e\", \"-c\"]\nRUN cat /w/f > g\nUSER {user}\nRUN true\n"
        ));
        let count = image.layers.len();
        assert_eq!(
            image.list(count - 3),
            [
                "f 0000 0:0 .wh.nonce \"\"",
                "d 0755 0:0 w/",
                "f 0644 0:0 w/f \"1 two words\\n/w\\n\"",
            ]
        );
        assert_eq!(
            image.list(count - 2),
            ["d 0755 0:0 w/", "f 0600 0:0 w/f \"1 two words\\n/w\\n\""]
        );
        assert_eq!(
            image.list(count - 1),
            ["d 0755 0:0 w/", "f 0644 0:0 w/g \"1 two words\\n/w\\n\""]
        );
        let history = image.history();
        assert_eq!(
            history[history.len() - 6..],
            [
                "+ RUN |2 V=1 W= /bin/sh -c echo \"$V $E\" > f && pwd >> f && rm /nonce # buildkit",
                "+ RUN |2 V=1 W= sh -c chmod 600 /w/f # buildkit",
                "- SHELL [/bin/sh -e -c]",
                "+ RUN |2 V=1 W= /bin/sh -e -c cat /w/f > g # buildkit",
                &format!("- USER {user}"),
                "- RUN |2 V=1 W= /bin/sh -e -c true # buildkit",
            ]
        );
    }
}

#[test]
fn subordinate_ids_are_other_users() {
    let Some(busybox) = busybox() else { return skip("no static busybox (busybox-static)") };
    let Some(found) = layerutils_tests::sandbox::subordinate_user() else { return };
    let bench = Bench::new();
    std::fs::copy(busybox, bench.path("ctx/busybox")).unwrap();
    let Some(bench) = bench.for_ids(found.user.uid, found.user.gid) else {
        return skip("no chown");
    };
    let file = format!("{BASE}RUN touch /f && chown 5:6 /f\nUSER 7:8\nRUN touch /tmp/g\n");
    let file = file.replace("RUN touch /f", "RUN mkdir -m 1777 /tmp && touch /f");
    let image = bench.build_with(&file, &[]);
    assert!(image.list(image.layers.len() - 2).contains(&"f 0644 5:6 f \"\"".into()));
    assert!(image.last().contains(&"f 0644 7:8 tmp/g \"\"".into()));
    let refused = bench.run(&["--users", "root", "ctx"], b"");
    assert_eq!(refused.status, 2, "{}", refused.stderr);
}

#[test]
fn the_layers_are_the_same_in_each_tier() {
    let Some(busybox) = busybox() else { return skip("no static busybox (busybox-static)") };
    let Some(found) = layerutils_tests::sandbox::subordinate_user() else { return };
    let file = format!(
        "{BASE}RUN mkdir -m 1777 /tmp; mkdir /d; chown 3:4 /d; chmod 2775 /d; echo 1 > /d/f; \
         ln -s f /d/l; chown -h 7:8 /d/l; mkfifo /p; chown 9:9 /p; ln /d/f /d/g; chown 60000 /d/g; \
         echo 3 > /z; chown 5:5 /z; chmod 0 /z; mkdir -m 311 /y; echo > /y/x; chown 5 /y\n\
         RUN echo 2 >> /d/f; mv /d/l /d/m; chmod 4755 /d/g; mv /p /q; touch /d/new; echo 4 >> /z\n\
         COPY --chown=5:6 copied /c/copied\nUSER 7:8\n\
         RUN touch /tmp/g; mkdir /tmp/d; ln -s g /tmp/l; mkfifo /tmp/p\n\
         RUN touch /tmp/d/h; rm /tmp/p\n"
    );
    let layers = |ids: Option<(u32, u32)>, users: &str| {
        let bench = Bench::new();
        std::fs::copy(busybox, bench.path("ctx/busybox")).unwrap();
        bench.write("copied", "copied");
        let bench = match ids {
            Some((uid, gid)) => bench.for_ids(uid, gid).unwrap(),
            None => bench,
        };
        let image = bench.build_with(&file, &["--users", users]);
        (3..image.layers.len()).map(|layer| image.list(layer)).collect::<Vec<_>>()
    };
    let ids = Some((found.user.uid, found.user.gid));
    let root = layers(None, "auto");
    assert_eq!(layers(ids, "map"), root);
    assert_eq!(layers(ids, "single"), root);
}

#[test]
fn failures_are_named_and_leave_nothing() {
    for bench in benches() {
        let before = cache_scratch(&bench);
        for (command, status) in
            [("exit 3", "exited with status 3"), ("kill -9 $$", "was killed by signal 9")]
        {
            let message = bench.fail(&format!("{BASE}RUN echo out; echo err >&2; {command}"));
            assert_eq!(
                message,
                format!(
                    "img-build: | out\nimg-build: | err\nimg-build: Containerfile:5: RUN {status}\n"
                )
            );
        }
        let message = bench.fail(&format!("{BASE}RUN [\"/nothing\"]"));
        assert!(message.starts_with("img-build: Containerfile:5: RUN: "), "{message}");
        assert_eq!(cache_scratch(&bench), before);
    }
}

#[test]
fn on_the_hosts_network_run_has_no_net_raw() {
    for bench in benches() {
        let held = |network: &str| {
            let file = format!("{BASE}RUN {network} grep CapBnd /proc/self/status > /held\n");
            bench.build(&file).last().last().unwrap().clone()
        };
        assert_eq!(held(""), "f 0644 0:0 held \"CapBnd:\\t00000000a80405fb\\n\"");
        assert_eq!(held("--network=none"), "f 0644 0:0 held \"CapBnd:\\t00000000a80425fb\\n\"");
        if bench.is_user() || !nix::unistd::geteuid().is_root() {
            continue;
        }
        // As setcap(8) writes it: NET_RAW, permitted and effective.
        let words = [0x0200_0001_u32, 1 << 13, 0, 0, 0].map(u32::to_le_bytes).concat();
        std::fs::copy(bench.path("ctx/busybox"), bench.path("ctx/ping")).unwrap();
        let flags = rustix::fs::XattrFlags::empty();
        let name = "security.capability";
        rustix::fs::setxattr(bench.path("ctx/ping"), name, &words, flags).unwrap();
        let archive = ["--xattrs", "--xattrs-include=*", "-cf", "ping.tar", "ping"];
        let mut tar = std::process::Command::new("tar");
        assert!(tar.args(archive).current_dir(bench.path("ctx")).status().unwrap().success());
        bench.write("Containerfile", &format!("{BASE}ADD ping.tar /\nRUN [\"/ping\"]"));
        let built = bench.run(&["-q", "ctx"], b"");
        assert_eq!(built.status, 2);
        assert_eq!(
            built.stderr,
            "img-build: Containerfile:6: RUN: /ping: Operation not permitted\n\
             img-build: hint: RUN has no NET_RAW: remove the file's capabilities (setcap -r)\n"
        );
    }
}

/// What steps leave in the cache while they run.
fn cache_scratch(bench: &Bench) -> Vec<String> {
    let entries = std::fs::read_dir(bench.path("cache/layerutils/build"));
    let names = entries.into_iter().flatten().map(|entry| entry.unwrap().file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.starts_with('.'))
        .collect()
}

#[test]
fn heredocs_are_scripts() {
    for bench in benches() {
        let image = bench.build(&format!(
            "{BASE}RUN <<EOF\necho one > /one\necho two >> /one\nEOF\nRUN <<-'X'\n\t#!/bin/sh\n\techo $0 > /two\n\tX\nRUN cat <<A > /a && cat <<B > /b\n$HOME\nA\nb\nB\n"
        ));
        let count = image.layers.len();
        assert_eq!(image.list(count - 3), ["f 0644 0:0 one \"one\\ntwo\\n\""]);
        assert_eq!(image.list(count - 2), ["f 0644 0:0 two \"/dev/pipes/X\\n\""]);
        let last = image.list(count - 1);
        assert_eq!(last[1], "f 0644 0:0 b \"b\\n\"");
    }
}

#[test]
fn mounts_are_there_for_one_command() {
    for bench in benches() {
        bench.write("src/f", "from the context");
        bench.write("key", "secret value");
        std::fs::create_dir_all(bench.path("home")).unwrap();
        let containerfile = format!(
            "{BASE}RUN mkdir /out\nFROM scratch AS other\nCOPY src/f /other\nFROM scratch\nCOPY busybox /bin/busybox\nCOPY --from=0 /bin /bin\nRUN --mount=target=/src,source=src --mount=type=bind,from=other,source=other,target=/o,rw --mount=type=tmpfs,target=/t --mount=type=secret,id=k --mount=type=secret,id=k,env=KEY --mount=type=secret,id=none mkdir /out; cp /src/f /out/f; cp /o /out/o; echo x > /o; echo x > /t/x; touch /src/no || echo \"$KEY\" | cmp - /run/secrets/k | head -c 4 > /out/s\nRUN ls /src /t /run/secrets 2>/dev/null | wc -l > /out/left\n"
        );
        let secret = format!("id=k,src={}", bench.path("ctx/key").display());
        let image = bench.build_with(&containerfile, &["--secret", &secret]);
        let list = image.list(image.layers.len() - 2);
        assert!(list.contains(&"f 0644 0:0 out/f \"from the context\"".to_owned()), "{list:?}");
        assert!(list.contains(&"f 0644 0:0 out/o \"from the context\"".to_owned()), "{list:?}");
        let left = image.last();
        assert_eq!(left.last().unwrap(), "f 0644 0:0 out/left \"0\\n\"", "{left:?}");
        for layer in &image.layers {
            let found = layer.windows(12).any(|window| window == b"secret value");
            assert!(!found, "the secret is in a layer");
        }
    }
}

#[test]
fn sources_of_mounts_are_of_the_stage_or_the_context() {
    // CVE-2024-1753, CVE-2024-11218: links of the image that lead to the host.
    for bench in benches() {
        bench.write("etc/host", "of the context");
        bench.link("etc/link", &bench.path("").display().to_string());
        bench.link("etc/up", "../../../../../../etc");
        let text = |from: &str, source: &str| {
            format!(
                "FROM scratch AS other\nCOPY etc /etc\n{BASE}\
                 RUN --mount={from}source={source},target=/x cat /x > /seen\n"
            )
        };
        let places = [("from=other,", "other"), ("", "the context")];
        for (from, place) in places {
            for source in ["/etc/link/ctx/nonce", "/etc/up/passwd"] {
                let message = bench.fail(&text(from, source));
                let expected = format!("'{source}': no such file in {place}\n");
                assert!(message.ends_with(&expected), "{message}");
            }
        }
        for (from, _) in places {
            let image = bench.build(&text(from, "/etc/up/host"));
            assert_eq!(image.last(), ["f 0644 0:0 seen \"of the context\""]);
        }
    }
}

#[test]
fn a_cache_mount_outlives_the_build_and_not_the_command() {
    for bench in benches() {
        let id = bench.path("").display().to_string();
        let run = format!(
            "RUN --mount=type=cache,id={id},target=/c,sharing=locked cat /c/f > /n 2>/dev/null; echo x >> /c/f; wc -l < /c/f > /n"
        );
        let image = bench.build(&format!("{BASE}{run}"));
        assert_eq!(image.last(), ["f 0644 0:0 n \"1\\n\""]);
        let image = bench.build_with(&format!("{BASE}{run}"), &["--no-cache"]);
        assert_eq!(image.last(), ["f 0644 0:0 n \"2\\n\""]);
        // The id is no way to somewhere else (CVE-2024-9675), and set-id programs that
        // the command left there are for nobody else (CVE-2021-41091).
        assert!(bench.path("content").symlink_metadata().is_err());
        let cache = bench.path("cache/layerutils").metadata().unwrap();
        assert_eq!(cache.permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn no_network_is_none() {
    for bench in benches() {
        let list = "cat /proc/net/dev | grep -c : > /n";
        let image = bench.build(&format!("{BASE}RUN --network=none {list}"));
        assert_eq!(image.last(), ["f 0644 0:0 n \"1\\n\""]);
        let image = bench.build_with(&format!("{BASE}RUN {list}"), &["--network", "none"]);
        assert_eq!(image.last(), ["f 0644 0:0 n \"1\\n\""]);
        bench.write("Containerfile", &format!("{BASE}RUN --network=host {list}"));
        let built = bench.run(&["--network", "none", "ctx"], b"");
        assert_eq!(built.status, 2);
        assert!(built.stderr.contains("--network=host"), "{}", built.stderr);
    }
}

#[test]
fn owners_that_nobody_changed_are_kept_for_any_user() {
    for bench in benches() {
        bench.write("a", "A");
        let image =
            bench.build(&format!("{BASE}COPY --chown=33:44 a /d/\nRUN echo more >> /d/a\n"));
        assert_eq!(image.last(), ["d 0755 33:44 d/", "f 0644 33:44 d/a \"Amore\\n\""]);
    }
}

#[test]
fn what_a_command_depends_on_decides_about_its_result() {
    for bench in benches() {
        let hits = |text: &str, arguments: &[&str]| {
            bench.write("Containerfile", &format!("{BASE}{text}"));
            *bench.hits(arguments).last().unwrap()
        };
        let text = "ARG V=1\nENV E=1\nRUN echo $V $E";
        assert!(!hits(text, &[]));
        assert!(hits(text, &[]));
        assert!(hits("ARG V=1\nENV E=1\nRUN    echo $V $E  ", &[]));
        assert!(hits("ARG V=1\nENV E=1\nLABEL x=y\nRUN echo $V $E", &[]));
        assert!(hits(text, &["--build-arg", "http_proxy=http://p"]));
        assert!(hits(text, &["--build-arg", "undeclared=1"]));
        assert!(!hits(text, &["--build-arg", "V=2"]));
        assert!(!hits("ARG V=1\nENV E=2\nRUN echo $V $E", &[]));
        assert!(!hits("ARG V=1\nENV E=1\nRUN echo $E $V", &[]));
        if !bench.is_user() {
            assert!(!hits("ARG V=1\nENV E=1\nUSER 1\nRUN echo $V $E", &[]));
        }
        assert!(!hits("ARG V=1\nENV E=1\nRUN --network=none echo $V $E", &[]));
        assert!(!hits("ARG V=1\nENV E=1\nCOPY <<X /x\nX\nRUN echo $V $E", &[]));
        let mount = "RUN --mount=target=/m,source=m true";
        bench.write("m/f", "1");
        assert!(!hits(mount, &[]));
        assert!(hits(mount, &[]));
        bench.write("m/f", "2");
        assert!(!hits(mount, &[]));
    }
}
