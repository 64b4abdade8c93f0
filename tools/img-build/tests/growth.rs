//! Four times the input takes about four times as long, whatever there is more of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use std::fs;
use std::process::Command;

use support::Bench;

/// Measured once with `n` of something and once with four times as many: time that grows
/// with the square is sixteen times as long.
const MOST: f64 = 9.0;

/// What a busy machine may add, in seconds.
const NOISE: f64 = 0.2;

/// The processor time of a build, in seconds; its status and its first line of errors.
fn cost(bench: &Bench, arguments: &[&str]) -> (f64, String) {
    let script = r#"ulimit -v 3000000
TIMEFORMAT="%U %S"; time timeout 100 "$@" >/dev/null 2>errors; head -c 200 errors"#;
    let output = Command::new("bash")
        .args(["-c", script, "bash"])
        .args(bench.words(&[arguments, &["ctx"]].concat()))
        .env_clear()
        .envs(&bench.env)
        .current_dir(bench.dir.path())
        .output()
        .unwrap();
    let times = String::from_utf8(output.stderr).unwrap();
    let seconds = times.split_whitespace().map(|word| word.parse::<f64>().unwrap()).sum();
    (seconds, String::from_utf8(output.stdout).unwrap())
}

fn linear(name: &str, count: usize, measure: impl Fn(usize) -> f64) {
    let once = measure(count);
    let most = MOST * once + NOISE;
    // Once more, for a machine that was busy.
    let long =
        Some(measure(4 * count)).filter(|long| *long < most).unwrap_or_else(|| measure(4 * count));
    assert!(long < most, "{name}: {once:.2} s for {count}, {long:.2} s for four times as many");
}

/// A Containerfile that is built, or refused with the words that are given.
fn file(text: &str, refusal: &str) -> f64 {
    let bench = Bench::new();
    bench.write("Containerfile", text);
    let (seconds, errors) = cost(&bench, &[]);
    match refusal {
        "" => assert_eq!(errors, ""),
        _ => assert!(errors.contains(refusal), "{errors}"),
    }
    seconds
}

fn files(bench: &Bench, count: usize) {
    for number in 0..count {
        bench.write(&format!("files/{}/{number}", number % 100), "");
    }
}

#[test]
fn one_changed_file_of_many_costs_little_more_than_the_copy() {
    for arguments in [&[][..], &["--explain"]] {
        linear("changed file", 1500, |count| {
            let bench = Bench::new();
            files(&bench, count);
            bench.write("Containerfile", "FROM scratch\nCOPY files /files\n");
            cost(&bench, arguments);
            fs::write(bench.path("ctx/files/0/0"), "changed").unwrap();
            cost(&bench, arguments).0
        });
    }
}

/// Lines after `FROM scratch`.
fn stage(lines: impl Iterator<Item = String>) -> String {
    format!("FROM scratch\n{}", lines.collect::<String>())
}

#[test]
fn containerfiles_take_time_by_their_length() {
    type Text = fn(usize) -> String;
    let rows: [(&str, usize, Text); 9] = [
        ("ENV lines", 2000, |count| stage((0..count).map(|n| format!("ENV a{n}=b\n")))),
        ("ENV words", 2000, |count| {
            let words: String = (0..count).map(|n| format!(" a{n}=b")).collect();
            format!("FROM scratch\nENV{words}\n")
        }),
        ("ARG lines", 4000, |count| stage((0..count).map(|n| format!("ARG a{n}=b\n")))),
        ("LABEL lines", 4000, |count| stage((0..count).map(|n| format!("LABEL a{n}=b\n")))),
        ("VOLUME lines", 4000, |count| stage((0..count).map(|n| format!("VOLUME /a{n}\n")))),
        ("stages", 4000, |count| (0..count).map(|n| format!("FROM scratch AS s{n}\n")).collect()),
        ("stages from stages", 1000, |count| {
            let next = |n| format!("FROM s{n} AS s{}\n", n + 1);
            format!("FROM scratch AS s0\n{}", (0..count).map(next).collect::<String>())
        }),
        ("heredocs", 1000, |count| {
            let names: String = (0..count).map(|n| format!(" <<f{n}")).collect();
            let bodies: String = (0..count).map(|n| format!("text\nf{n}\n")).collect();
            format!("FROM scratch\nCOPY{names} /d/\n{bodies}")
        }),
        ("substitutions", 8000, |count| {
            let value = "a".repeat(count);
            format!("FROM scratch\nARG A={value}\nLABEL x=${{A//*b/x}} y=${{A/*b/x}}\n")
        }),
    ];
    for (name, count, text) in rows {
        linear(name, count, |count| file(&text(count), ""));
    }
}

#[test]
fn a_few_bytes_do_not_become_more_than_an_image_can_hold() {
    let value = "y".repeat(100_000);
    let words: String = (0..20_000).map(|number| format!(" a{number}=$x")).collect();
    let lines: String = (0..20_000).map(|number| format!("ARG a{number}=$x\n")).collect();
    let heirs: String = (1..2000).map(|n| format!("FROM s0 AS s{n}\n")).collect();
    let grandchildren: String = (1..2000).map(|n| format!("FROM s{n} AS t{n}\n")).collect();
    let copies: String = (1..2000).map(|n| format!("COPY --from=t{n} / /\n")).collect();
    let stages = format!("{heirs}{grandchildren}FROM scratch\n{copies}");
    let mounts: String =
        (0..20_000).map(|n| format!(" --mount=target=/{n},id=$x,type=cache")).collect();
    let few = " --mount=target=/c,id=$x,type=cache".repeat(30);
    let caches = format!("RUN{few} x\n").repeat(40);
    let of_all_stages =
        "the configs and steps of all stages are longer than 67108864 bytes together";
    let together = "the values are longer than 4194304 bytes together";
    for (text, expected) in [
        (format!("FROM scratch\nEXPOSE{}\n", " 1-65535".repeat(800)), "more than 196608 ports"),
        (format!("FROM scratch\nENV x={value}\nLABEL{words}\n"), together),
        (format!("FROM scratch\nENV x={value}\nARG{words}\n"), together),
        (format!("FROM scratch\nENV x={value}\nCOPY{} /d/\n", " $x".repeat(20_000)), together),
        (format!("FROM scratch\nENV x={value}\nRUN{mounts} x\n"), together),
        (format!("ARG x={value}\n{lines}FROM scratch\n"), together),
        (
            format!("FROM scratch AS s0\nENV x={value}\nENV a=$x b=$x c=$x d=$x\n{stages}"),
            of_all_stages,
        ),
        (format!("FROM scratch\nENV x={value}\n{caches}"), of_all_stages),
    ] {
        let seconds = file(&text, expected);
        assert!(seconds < 10.0, "{expected}: {seconds} s");
    }
}

#[test]
fn a_chain_of_stages_holds_one_config() {
    let value = "y".repeat(100_000);
    let chain = |count: usize| -> String {
        let stages = (1..count).map(|n| format!("FROM s{} AS s{n}\nENV n={n}\n", n - 1));
        format!("FROM scratch AS s0\nENV x={value}\nENV a=$x b=$x c=$x d=$x\n")
            + &stages.collect::<String>()
    };
    linear("chained stages", 250, |count| file(&chain(count), ""));
}
