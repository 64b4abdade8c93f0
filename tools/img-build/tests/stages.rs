//! Stages side by side: what waits for what, what is told, and what is refused before the
//! first step runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::time::{Duration, Instant};

use support::{Bench, busybox, skip};

/// A bench with a static busybox as /bin/sh and its applets in the image `bb`.
fn bench() -> Option<Bench> {
    let busybox = busybox()?;
    let bench = Bench::new();
    std::fs::copy(busybox, bench.path("ctx/busybox")).unwrap();
    let text = "FROM scratch\nCOPY busybox /bin/sh\nCOPY busybox /bin/busybox\n";
    bench.write("Base", text);
    let built = bench.run(&["-t", "bb", "-f", "ctx/Base", "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    Some(bench)
}

#[test]
fn stages_that_need_nothing_of_each_other_run_at_once() {
    let Some(bench) = bench() else { return skip("no static busybox (busybox-static)") };
    // Each tells that it runs and waits for the others to say so: one after the other, they
    // would wait in vain.
    let wait = |own: &str, others: [&str; 2]| {
        let there = others.map(|other| format!("[ -e /cache/{other} ]")).join(" && ");
        format!(
            "FROM bb AS {own}\nRUN --mount=type=cache,target=/cache : >/cache/{own}; i=0; until {there}; do i=$((i+1)); [ $i -lt 200 ] || exit 9; busybox sleep 0.1; done; echo {own} >/{own}\n"
        )
    };
    let stages = [wait("a", ["b", "c"]), wait("b", ["a", "c"]), wait("c", ["a", "b"])].concat();
    let copies = ["a", "b", "c"].map(|name| format!("COPY --from={name} /{name} /\n")).concat();
    let image = bench.build(&format!("{stages}FROM scratch\n{copies}"));
    assert_eq!(image.last(), ["f 0644 0:0 c \"c\\n\""]);
}

#[test]
fn the_same_step_of_two_stages_is_executed_once() {
    let Some(bench) = bench() else { return skip("no static busybox (busybox-static)") };
    let step = "RUN --mount=type=cache,target=/c echo x >>/c/runs; busybox cat /c/runs >/runs\n";
    let text = format!(
        "FROM bb AS a\n{step}FROM bb AS b\n{step}FROM scratch\nCOPY --from=a /runs /a\nCOPY --from=b /runs /b\n"
    );
    let image = bench.build(&text);
    assert_eq!(image.list(0), ["f 0644 0:0 a \"x\\n\""]);
    assert_eq!(image.list(1), ["f 0644 0:0 b \"x\\n\""]);
}

#[test]
fn a_stage_may_copy_from_the_one_that_it_begins_from() {
    let bench = Bench::new();
    let text = "FROM scratch AS a\nCOPY <<E /f\nF\nE\nFROM a AS b\nCOPY --from=a /f /g\nFROM b\nCOPY --from=b /g /h\nCOPY --from=a /f /i\n";
    let image = bench.build(text);
    assert_eq!(image.last(), ["f 0644 0:0 i \"F\\n\""]);
    assert_eq!(image.layers.len(), 4);
}

#[test]
fn a_failure_ends_the_steps_beside_it() {
    let Some(bench) = bench() else { return skip("no static busybox (busybox-static)") };
    let text = "FROM bb AS a\nRUN busybox sleep 60\nFROM bb AS b\nRUN busybox sleep 1; exit 3\nFROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\n";
    let began = Instant::now();
    let message = bench.fail_in(text);
    assert_eq!(message, "img-build: Containerfile:4: RUN exited with status 3\n");
    assert!(began.elapsed() < Duration::from_secs(30));
    let run = bench.path("cache/layerutils/run");
    assert_eq!(std::fs::read_dir(run).map_or(0, Iterator::count), 0);
}

#[test]
fn what_is_wrong_is_told_before_the_first_step_runs() {
    let Some(bench) = bench() else { return skip("no static busybox (busybox-static)") };
    for (line, message) in [
        ("RUN --security=insecure true", "5: RUN: --security=insecure is not supported"),
        ("COPY --from=nowhere a /", "5: COPY: nowhere: no such image"),
        ("ADD https://example.org/x.git?what=a /", "5: ADD: git query 'what=a'"),
        ("LABEL a=${b?needed}", "5: failed to process '${b?needed}': b: needed"),
        ("COPY --chmod=x a /", "5: COPY: invalid --chmod"),
    ] {
        let text = format!(
            "FROM bb AS a\nRUN --mount=type=cache,target=/c : >/c/ran\nFROM bb\nCOPY --from=a /bin /x\n{line}\n"
        );
        let found = bench.fail_in(&text);
        assert!(found.starts_with(&format!("img-build: Containerfile:{message}")), "{found}");
        assert!(bench.caches().is_empty(), "a step ran before {line} was refused");
    }
}

#[test]
fn the_plan_names_the_steps_and_what_they_read() {
    let bench = Bench::new();
    bench.write("x", "");
    bench.write(
        "Containerfile",
        "FROM scratch AS a\nCOPY x /\nFROM scratch AS unused\nCOPY x /\nFROM a AS b\nENV a=b\nCOPY --from=a /x /y\n",
    );
    let built = bench.run(&["--print", "plan", "ctx"], b"");
    assert_eq!((built.stderr.as_str(), built.status), ("", 0));
    assert_eq!(
        built.stdout,
        "1/5 [0] FROM scratch AS a <- scratch\n\
         2/5 COPY x / <- the context\n\
         3/5 [2] FROM a AS b <- stage 0\n\
         4/5 ENV a=b\n\
         5/5 COPY --from=a /x /y <- stage 0\n"
    );
    assert!(!bench.path("store").try_exists().unwrap(), "a plan makes no store");
}
