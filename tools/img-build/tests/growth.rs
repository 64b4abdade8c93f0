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
