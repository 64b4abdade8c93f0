//! SIGKILL at random moments, and what is left of whoever it hit.
//!
//! The moments are the same in every run, as far as a machine repeats itself, unless
//! `PROPTEST_RNG_SEED` asks for others.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use walkdir::WalkDir;

use crate::sandbox::Sandbox;

/// How long anything may take that follows a death at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The tool alone.
    Tool,
    /// The tool and its own children in one go, the sandbox's supervisor among them.
    ToolAndChildren,
}

/// How often: `LAYERUTILS_TEST_KILLS`, or `usual`.
///
/// # Panics
/// If the variable is no number.
#[must_use]
pub fn rounds(usual: u32) -> u32 {
    let asked = std::env::var("LAYERUTILS_TEST_KILLS").ok().filter(|asked| !asked.is_empty());
    asked.map_or(usual, |asked| asked.parse().expect("LAYERUTILS_TEST_KILLS is a number"))
}

/// Moments that look random.
#[derive(Debug)]
pub struct Moments {
    state: u64,
    within: Duration,
}

impl Moments {
    /// Moments of a span of time.
    #[must_use]
    pub fn within(span: Duration) -> Self {
        let seed = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok());
        Self { state: seed.unwrap_or(1), within: span }
    }

    /// The next one.
    pub fn draw(&mut self) -> Duration {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let span = u64::try_from(self.within.as_nanos()).unwrap_or(u64::MAX).max(1);
        Duration::from_nanos(mixed % span)
    }
}

/// Starts `argv`, kills it at `moment`, and waits until every process that has `mark`
/// in its arguments or its environment is gone, which `argv` must see to.
///
/// # Panics
/// If one stays.
pub fn kill_at(sandbox: &Sandbox, argv: &[&str], mark: &str, moment: Duration, victim: Victim) {
    let start = Instant::now();
    let running = sandbox.run(argv).env("LAYERUTILS_TEST_MARK", mark).start();
    let pid = running.pid();
    sleep(moment.saturating_sub(start.elapsed()));
    let children = match victim {
        Victim::Tool => Vec::new(),
        Victim::ToolAndChildren => children(pid),
    };
    for pid in children.into_iter().chain([pid]) {
        let _ = kill(pid, Signal::SIGKILL);
    }
    // It may have ended by itself before.
    let _ = running.wait();
    let start = Instant::now();
    while let Some(left) = marked(mark) {
        assert!(start.elapsed() < PATIENCE, "killed after {moment:?}, a process is left: {left}");
        sleep(Duration::from_millis(1));
    }
}

fn children(pid: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let words = lists.flat_map(|list| {
        list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<i32>>()
    });
    words.map(Pid::from_raw).collect()
}

/// A process with `mark`, as text for people.
fn marked(mark: &str) -> Option<String> {
    let holds = |path: &Path, name: &str| {
        fs::read(path.join(name)).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(mark))
    };
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let mut found = processes.filter(|path| {
        let own = path.ends_with(std::process::id().to_string());
        !own && (holds(path, "cmdline") || holds(path, "environ"))
    });
    found.next().map(|path| {
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        format!("{} {}", path.display(), String::from_utf8_lossy(&line).replace('\0', " "))
    })
}

/// What a sandbox's folder holds, and what is mounted in it: one line each.
///
/// # Panics
/// If /proc is not there.
#[must_use]
pub fn traces(sandbox: &Sandbox) -> Vec<String> {
    let work = sandbox.work();
    let folder = work.parent().unwrap_or(&work);
    // Entries may vanish while they are listed, with the processes that made them.
    let entries = WalkDir::new(folder).min_depth(1).into_iter().flatten();
    let mut lines: Vec<String> = entries.map(|entry| entry.path().display().to_string()).collect();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let name = folder.display().to_string();
    lines.extend(mounts.lines().filter(|line| line.contains(&name)).map(str::to_owned));
    lines
}
