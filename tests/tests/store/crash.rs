//! Thirty-two workers commit, tag, remove and prune at once, and many are killed on
//! the way. After each round the store is sound, and holds all that was reported done.
//!
//! `LAYERUTILS_TEST_CRASH_ROUNDS` asks for more rounds than a run of all tests has
//! time for, and `LAYERUTILS_TEST_SEED` for others.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use common::image::{Opener, Reference};
use common::store::{Location, Store};
use layerutils_tests::binaries;
use layerutils_tests::place::layer;

const WORKERS: u64 = 32;
/// Names that each worker has for itself.
const NAMES: u64 = 3;
/// In every run of the tests: so many rounds, or as many as there is time for.
const ROUNDS: u64 = 40;
const TIME: Duration = Duration::from_secs(45);

/// What a name may stand for after what was done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Claim {
    Nothing,
    /// An image whose digest was printed.
    Image(String),
    /// The image of a commit that was killed before it said its digest: the message
    /// that it was given.
    Message(String),
}

/// SplitMix64 (Steele, Lea and Flood 2014): numbers that a seed repeats.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

struct Bench {
    folder: tempfile::TempDir,
    /// How long a command takes, so that it is killed while it is at work.
    usual_us: AtomicU64,
    killed: AtomicU64,
    done: AtomicU64,
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, tool: &str, args: &[&str]) -> Command {
        let mut command = Command::new(binaries::path(tool));
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("LAYERUTILS_STORE", self.path("store"));
        command.env("XDG_CACHE_HOME", self.path("cache")).env("TMPDIR", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs to the end, or to a random instant: what was printed, and whether it ended.
    fn attempt(&self, numbers: &mut Numbers, tool: &str, args: &[&str]) -> (String, bool) {
        let start = Instant::now();
        let mut child = self.command(tool, args).spawn().unwrap();
        let is_to_die = numbers.below(3) > 0;
        if is_to_die {
            let span = self.usual_us.load(Relaxed) * 5 / 4;
            thread::sleep(Duration::from_micros(numbers.below(span)));
            child.kill().unwrap();
        }
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let (said, ended) = (String::from_utf8(stderr).unwrap(), status.code().is_some());
        assert!(!ended || status.success(), "{tool} {args:?}: {status}: {said}");
        match ended {
            true => self.done.fetch_add(1, Relaxed),
            false => self.killed.fetch_add(1, Relaxed),
        };
        if !is_to_die {
            let took = u64::try_from(start.elapsed().as_micros()).unwrap();
            let usual = self.usual_us.load(Relaxed);
            self.usual_us.store((usual * 7 + took) / 8, Relaxed);
        }
        (String::from_utf8(stdout).unwrap(), ended)
    }

    fn succeeds(&self, tool: &str, args: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command(tool, args).output().unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert!(status.success() && said.is_empty(), "{tool} {args:?}: {status}: {said}");
        String::from_utf8(stdout).unwrap()
    }
}

/// One of many, with names of its own that nobody else touches.
struct Worker {
    id: u64,
    numbers: Numbers,
    claims: BTreeMap<String, Vec<Claim>>,
}

impl Worker {
    fn new(id: u64, seed: u64) -> Self {
        let names = (0..NAMES).map(|number| (format!("w{id}:{number}"), vec![Claim::Nothing]));
        Self { id, numbers: Numbers(seed ^ (id << 32)), claims: names.collect() }
    }

    fn act(&mut self, bench: &Bench, round: u64) {
        let name = format!("w{}:{}", self.id, self.numbers.below(NAMES));
        let message = format!("{name} in round {round}");
        match self.numbers.below(10) {
            0..4 => {
                let file = bench.path(&format!("layer{}.tar", self.id));
                let len = usize::try_from(self.numbers.below(300_000)).unwrap();
                fs::write(&file, layer(&[(&message, &vec![b'x'; len])])).unwrap();
                let file = file.to_str().unwrap();
                let line = ["-m", &message, "-t", &name, "base", file];
                self.put(bench, &name, Claim::Message(message.clone()), "img-commit", &line);
            }
            4 => {
                // What everybody moves, whoever comes last.
                let line = ["-m", &message, "--config-only", "-t", "shared", "-t", &name, "base"];
                self.put(bench, &name, Claim::Message(message.clone()), "img-commit", &line);
            }
            5 | 6 => {
                let from = self.claims.iter().find_map(|(name, claims)| match claims.as_slice() {
                    [Claim::Image(digest)] => Some((name.clone(), digest.clone())),
                    _ => None,
                });
                if let Some((from, digest)) = from {
                    let line = [from.as_str(), name.as_str()];
                    self.put(bench, &name, Claim::Image(digest), "img-copy", &line);
                }
            }
            7 | 8 => self.remove(bench, &name),
            _ => {
                bench.attempt(&mut self.numbers, "img-rm", &["--prune"]);
            }
        }
    }

    /// Runs what gives `name` an image: the one it prints, or else perhaps `maybe`.
    fn put(&mut self, bench: &Bench, name: &str, maybe: Claim, tool: &str, line: &[&str]) {
        let (printed, ended) = bench.attempt(&mut self.numbers, tool, line);
        let claims = self.claims.get_mut(name).unwrap();
        match printed.strip_suffix('\n') {
            Some(digest) => *claims = vec![Claim::Image(digest.to_owned())],
            None => {
                assert!(!ended, "{tool} {line:?} succeeded and printed {printed:?}");
                claims.push(maybe);
            }
        }
    }

    fn remove(&mut self, bench: &Bench, name: &str) {
        let claims = self.claims.get_mut(name).unwrap();
        if claims.contains(&Claim::Nothing) {
            return;
        }
        let (printed, _) = bench.attempt(&mut self.numbers, "img-rm", &[name]);
        match printed.as_str() {
            "" => claims.push(Claim::Nothing),
            printed => {
                assert_eq!(printed, format!("{name}\n"));
                *claims = vec![Claim::Nothing];
            }
        }
    }

    /// Asserts that each name stands for what it may, from here on for nothing else.
    fn verify(&mut self, store: &Path) {
        let location = Location::at(store.to_owned());
        let index = Store::open(store).unwrap().images().unwrap();
        for (name, claims) in &mut self.claims {
            let entry = index.iter().find(|image| image.ref_name() == Some(name));
            let truth = entry.map(|image| image.digest.to_string());
            let fits = |claim: &&Claim| match (claim, &truth) {
                (Claim::Nothing, truth) => truth.is_none(),
                (Claim::Image(digest), truth) => truth.as_ref() == Some(digest),
                (Claim::Message(_), None) => false,
                (Claim::Message(message), Some(_)) => {
                    let reference = Reference::parse(name.as_ref()).unwrap();
                    let image = Opener::new(&location, None).open(&reference).unwrap();
                    image.config.history.last().is_some_and(|step| step.comment == *message)
                }
            };
            assert!(claims.iter().any(|claim| fits(&claim)), "{name} is {truth:?}, not {claims:?}");
            *claims = vec![truth.map_or(Claim::Nothing, Claim::Image)];
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect(variable))
}

#[test]
fn nothing_is_lost_or_broken_when_many_are_killed_at_work() {
    let (wanted, seed) =
        (number("LAYERUTILS_TEST_CRASH_ROUNDS"), number("LAYERUTILS_TEST_SEED").unwrap_or(1));
    let bench = Arc::new(Bench {
        folder: tempfile::tempdir().unwrap(),
        usual_us: AtomicU64::new(100_000),
        killed: AtomicU64::new(0),
        done: AtomicU64::new(0),
    });
    let store = bench.path("store");
    fs::write(bench.path("base.tar"), layer(&[("base", b"base")])).unwrap();
    bench.succeeds("img-commit", &["-t", "base", "-t", "shared", "scratch", "base.tar"]);
    let mut workers: Vec<Worker> = (0..WORKERS).map(|id| Worker::new(id, seed)).collect();
    let (start, mut rounds) = (Instant::now(), 0);
    while rounds < wanted.unwrap_or(ROUNDS) && (wanted.is_some() || start.elapsed() < TIME) {
        thread::scope(|scope| {
            for worker in &mut workers {
                let bench = Arc::clone(&bench);
                scope.spawn(move || worker.act(&bench, rounds));
            }
        });
        assert_eq!(bench.succeeds("img-ls", &["--check"]), "", "round {rounds}");
        workers.iter_mut().for_each(|worker| worker.verify(&store));
        rounds += 1;
    }
    let (done, killed) = (bench.done.load(Relaxed), bench.killed.load(Relaxed));
    println!("{rounds} rounds: {done} commands ended, {killed} were killed");
    assert!(done > 0 && killed > 0, "{done} ended, {killed} were killed");

    // What was left behind can be told from what is needed, and goes.
    bench.succeeds("img-rm", &["--prune"]);
    let left = bench.succeeds("img-rm", &["--prune", "--dry-run"]);
    assert_eq!(left, "");
    bench.succeeds("img-ls", &["--check"]);
    let is_expected = |name: &str| {
        let ours = [".layerutils-index.json", ".layerutils-reserve"];
        ["blobs", "index.json", "oci-layout"].contains(&name)
            || ours.contains(&name)
            || name.ends_with(".lock")
    };
    for entry in fs::read_dir(&store).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(is_expected(&name), "{name} is left behind");
    }
}
