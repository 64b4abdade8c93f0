//! The smoke test: each target on its corpus, and on what becomes of that, for a
//! bounded time. See `README.md`.

#![allow(clippy::expect_used, clippy::print_stdout, clippy::exit, clippy::disallowed_methods)]

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use layerutils_fuzz::mutate::Mutator;
use layerutils_fuzz::{TARGETS, Target};

thread_local! {
    /// The target and what is being tried, for the message when it fails.
    static TRIED: RefCell<(&'static str, Vec<u8>)> = const { RefCell::new(("", Vec::new())) };
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for name in &wanted {
        if !TARGETS.iter().any(|target| target.name == name) {
            println!("fuzz-smoke: no target {name}");
            std::process::exit(2);
        }
    }
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let time = Duration::from_secs(number("LAYERUTILS_FUZZ_SECONDS", 10));
    let seed = number("LAYERUTILS_FUZZ_SEED", 0);
    keep_what_fails();
    for target in TARGETS {
        if wanted.is_empty() || wanted.iter().any(|name| name == target.name) {
            smoke(target, time, seed);
        }
    }
}

/// Has a panic end the process, and its input in a file.
fn keep_what_fails() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        TRIED.with_borrow(|(name, tried)| {
            let path = std::env::temp_dir().join(format!("fuzz-{name}"));
            let written = fs::write(&path, tried);
            println!("fuzz-smoke: {name}: the input is {path:?}: {written:?}");
        });
        std::process::exit(1);
    }));
}

fn smoke(target: Target, time: Duration, seed: u64) {
    let corpus = corpus(target);
    let begin = Instant::now();
    let mut mutator = Mutator::new(seed);
    let mut given = corpus.iter();
    let mut count = 0_u64;
    // The corpus is tried to its end, however long that takes.
    loop {
        let input = match given.next() {
            Some(input) => input.clone(),
            None if begin.elapsed() >= time => break,
            None => mutator.input(&corpus),
        };
        TRIED.set((target.name, input.clone()));
        (target.run)(&input);
        count += 1;
    }
    let seconds = begin.elapsed().as_secs();
    println!("fuzz-smoke: {}: {count} inputs in {seconds} s", target.name);
}

/// The inputs that are kept for a target, in the order of their names.
fn corpus(target: Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let entries = fs::read_dir(&folder).expect("a corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a name").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("an input")).collect()
}
