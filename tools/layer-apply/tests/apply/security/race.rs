//! Another process that exchanges directories for links to the outside, and files
//! for links to files there, while layers are applied.
//!
//! The other process is this test program, started again. Failing is allowed to
//! whoever applies a layer meanwhile, and so is losing what went to the directory
//! that was exchanged; leaving the root is not.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags, RenameFlags, mkdirat, openat, renameat_with, symlinkat};

use crate::support::{Archive, Scratch, WAYS, member};

/// Names the directory in which the other process is to be at work.
const VARIABLE: &str = "LAYER_APPLY_TEST_RACE";

/// How often the layer is applied in each way.
const ROUNDS: usize = 40;

/// A layer that comes back to the same directories in every way there is.
fn layer() -> Archive {
    let mut layer = Archive::new();
    for number in 0..60 {
        layer = layer
            .dir("d")
            .with(member("d/canary", b'0').content("dead").mode(0o4777))
            .with(member("d/s/canary", b'0').content("dead").mtime(number).xattr("user.x", "1"))
            .with(member("d/s/large", b'0').content(vec![b'x'; 40_000]))
            .with(member("d/s/fifo", b'6').mode(0o4777).mtime(number))
            .whiteout("d/.wh.other")
            .hardlink("d/linked", "d/canary")
            .with(member("d/s", b'5').mode(0o777).xattr("user.x", "1"))
            .symlink("d/canary", "canary")
            .hardlink("d/s/again", "d/canary")
            .whiteout("d/s/.wh..wh..opq")
            .whiteout("d/.wh..wh..opq");
    }
    layer
}

#[test]
fn directories_that_are_exchanged_for_links_lead_nowhere() {
    // CVE-2018-15664, and the change of modes by name (containerd, 2026).
    let layer = layer();
    for way in WAYS {
        let scratch = Scratch::new(way);
        let other = Other::start(&scratch.root());
        let (mut applied, mut failed) = (0, 0);
        for _ in 0..ROUNDS {
            // Looks at the canaries every time.
            match scratch.try_apply(&layer) {
                Ok(()) => applied += 1,
                Err(_) => failed += 1,
            }
        }
        let exchanges = other.stop();
        scratch.assert_contained();
        eprintln!("{way:?}: {applied} applied, {failed} failed, {exchanges} exchanges");
        assert!(exchanges > ROUNDS, "{way:?}: the other process has hardly run");
    }
}

/// The other process.
struct Other(Child);

impl Other {
    fn start(root: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "security::race::the_other_process", "--nocapture"]);
        command.env(VARIABLE, root).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Ends it, and says how often it has exchanged something.
    fn stop(mut self) -> usize {
        drop(self.0.stdin.take());
        let output = std::io::read_to_string(self.0.stdout.take().unwrap()).unwrap();
        let count = output.split_once("exchanges: ").map(|(_, rest)| rest).unwrap();
        count.lines().next().unwrap().parse().unwrap()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Its standard input is closed with its parent, too.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// No test by itself: what [`Other`] runs, until its standard input ends.
#[test]
fn the_other_process() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let Some(root) = std::env::var_os(VARIABLE) else { return };
    let root = fs::File::open(root).unwrap();
    let stop = AtomicBool::new(false);
    let count = std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            stop.store(true, Ordering::Relaxed);
        });
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            count += exchange(&root);
        }
        count
    });
    // Not println!, which a test would capture.
    use std::io::Write as _;
    writeln!(std::io::stdout(), "exchanges: {count}").unwrap();
}

/// Exchanges what the layer makes for links to the outside, itself never following
/// one. Says how often that was done.
fn exchange(root: &fs::File) -> usize {
    let mode = Mode::from_raw_mode(0o755);
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut count = 0;
    let mut swap = |at: &std::os::fd::OwnedFd, name: &str, target: &str| {
        let _ = symlinkat(target, at, "trap");
        if renameat_with(at, name, at, "trap", RenameFlags::EXCHANGE).is_ok() {
            count += 1;
        }
        let _ = rustix::fs::unlinkat(at, "trap", rustix::fs::AtFlags::empty());
    };
    let _ = mkdirat(root, "d", mode);
    if let Ok(d) = openat(root, "d", flags, Mode::empty()) {
        let _ = mkdirat(&d, "s", mode);
        if let Ok(s) = openat(&d, "s", flags, Mode::empty()) {
            for name in ["canary", "fifo", "large"] {
                swap(&s, name, "../../../outside/canary");
            }
        }
        swap(&d, "canary", "../../outside/canary");
        swap(&d, "s", "../../outside");
    }
    swap(&root.try_clone().unwrap().into(), "d", "../outside");
    count
}
