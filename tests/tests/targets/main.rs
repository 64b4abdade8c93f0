//! Mount targets that an image makes to be something else: every target of a sandbox
//! against every kind of file, in every way to run a command. In each cell the command is
//! refused with a message that names the target, or it runs and a probe inside finds
//! nothing that it must not (see `probe.sh`).

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod shape;

use std::fs;

use layerutils_tests::requirement::{find, is_root};
use layerutils_tests::run::Outcome;
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::{fixture::image, require};
use shape::Shape;

/// A file of the host that no command may see.
const CANARY: &str = "layerutils-file-of-the-host";

/// Something that is mounted, or entered, inside.
struct Target {
    path: &'static str,
    /// How img-run is asked for it; `None`: it cannot be.
    run: Option<&'static [&'static str]>,
    /// How a Containerfile asks for it.
    build: Option<&'static str>,
}

/// A target of every sandbox.
const fn always(path: &'static str) -> Target {
    Target { path, run: Some(&[]), build: Some("") }
}

const TARGETS: [Target; 17] = [
    always("/proc"),
    always("/sys"),
    always("/dev"),
    always("/dev/pts"),
    always("/dev/shm"),
    always("/etc"),
    always("/etc/resolv.conf"),
    always("/etc/hosts"),
    always("/run"),
    always("/tmp"),
    Target { path: "/w/d", run: Some(&["-w", "/w/d"]), build: Some("WORKDIR /w/d") },
    Target {
        path: "/v/d",
        run: Some(&["-v", "volume:/v/d"]),
        build: Some("--mount=type=bind,source=d,target=/v/d"),
    },
    Target {
        path: "/v/f",
        run: Some(&["-v", "volume/f:/v/f"]),
        build: Some("--mount=type=bind,source=d/f,target=/v/f"),
    },
    Target {
        path: "/t/d",
        run: Some(&["--tmpfs", "/t/d"]),
        build: Some("--mount=type=tmpfs,target=/t/d"),
    },
    Target {
        path: "/var/run/d",
        run: Some(&["--tmpfs", "/run", "-v", "volume:/var/run/d"]),
        build: None,
    },
    Target { path: "/s/f", run: None, build: Some("--mount=type=secret,id=x,target=/s/f") },
    Target { path: "/c/d", run: None, build: Some("--mount=type=cache,target=/c/d") },
];

/// The root of every image here.
fn make_base(sandbox: &Sandbox) {
    fs::write(sandbox.path(CANARY), "").unwrap();
    let script = "mkdir -p base/bin base/usr volume context/d && touch base/marker volume/f context/d/f && \
                  echo secret > secret && \
                  for name in sh find head tr ls cut grep test; do ln -s busybox base/bin/$name; done";
    let _ = sandbox.sh(script).succeeds();
    fs::copy(find("busybox").unwrap(), sandbox.path("base/bin/busybox")).unwrap();
    fs::write(sandbox.path("base/probe"), include_str!("probe.sh")).unwrap();
    let layer = sandbox.words("layer-diff base").succeeds().stdout;
    image::put(&sandbox.store(), "base:latest", &[image::Layer::plain(layer)], &image::config());
}

/// The complaint about one cell, if there is one.
fn complaint(outcome: &Outcome, target: &str, shape: Shape) -> Option<String> {
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned()
        + &String::from_utf8_lossy(&outcome.stderr);
    if said.contains("ESCAPE") {
        return Some("the probe got out".into());
    }
    if outcome.status == 0 {
        return None;
    }
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    // A build names files without the slash at their front, and where links lead.
    let top = target.split('/').nth(1).unwrap();
    let names = [format!("/{top}"), format!(" {top}/"), shape.leads_to().into()];
    if !names.iter().any(|name| stderr.contains(name)) {
        return Some("a message that does not name the target".into());
    }
    stderr.contains("os error").then(|| "a message with an error number".into())
}

/// Tries every shape at every target that `run` knows how to ask for.
fn every_cell(sandbox: &Sandbox, layers: bool, run: impl Fn(&Target) -> Option<Outcome>) {
    let mut failures = Vec::new();
    let mut cells = 0;
    for target in &TARGETS {
        for shape in Shape::all() {
            let cell = sandbox.path("cell");
            let _ = fs::remove_dir_all(&cell);
            fs::create_dir(&cell).unwrap();
            if shape.make(&cell, target.path, is_root()).is_none() {
                continue;
            }
            if layers {
                let script = "layer-diff cell | img-commit --quiet -t cell base";
                if shape == Shape::Socket {
                    continue;
                }
                let _ = sandbox.sh(script).succeeds();
            }
            let Some(outcome) = run(target) else { continue };
            cells += 1;
            if let Some(complaint) = complaint(&outcome, target.path, shape) {
                failures.push(format!("{} {shape:?}: {complaint}\n{outcome}", target.path));
            }
        }
    }
    assert!(cells >= 100, "{cells} cells");
    assert!(failures.is_empty(), "{} of {cells}:\n{}", failures.len(), failures.join("\n"));
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    make_base(&sandbox);
    sandbox
}

#[test]
fn union_mount_mounts_nothing_where_an_image_leads() {
    require!(Peer("busybox"), UserNamespace);
    let sandbox = sandbox();
    for driver in ["", "--driver copy"] {
        every_cell(&sandbox, false, |target| {
            target.run.filter(|options| options.is_empty())?;
            let line =
                format!("union-mount --quiet {driver} base cell -- /bin/sh /probe {CANARY} mounts");
            Some(sandbox.words(&line).outcome())
        });
    }
}

/// img-run with one isolation.
fn img_run(isolation: &str) {
    let sandbox = sandbox();
    let mounts = if isolation == "chroot" { "none" } else { "mounts" };
    every_cell(&sandbox, true, |target| {
        let options = target.run?;
        if isolation == "chroot" && options.iter().any(|option| matches!(*option, "-v" | "--tmpfs"))
        {
            return None;
        }
        let mut argv = vec!["img-run", "--quiet", "--isolation", isolation];
        argv.extend(options);
        argv.extend(["cell", "/bin/sh", "/probe", CANARY, mounts]);
        Some(sandbox.run(&argv).outcome())
    });
}

#[test]
fn img_run_mounts_nothing_where_an_image_leads() {
    require!(Peer("busybox"), UserNamespace);
    img_run("full");
}

#[test]
fn an_oci_runtime_mounts_nothing_where_an_image_leads() {
    require!(Peer("busybox"), Peer("crun"), UserNamespace);
    img_run("oci");
}

#[test]
fn chroot_mounts_nothing_where_an_image_leads() {
    require!(Peer("busybox"), UserNamespace);
    img_run("chroot");
}

#[test]
fn run_mounts_nothing_where_an_image_leads() {
    require!(Peer("busybox"), UserNamespace);
    let sandbox = sandbox();
    every_cell(&sandbox, true, |target| {
        let option = target.build?;
        let (workdir, option) = match option.starts_with("WORKDIR") {
            true => (option, ""),
            false => ("", option),
        };
        let file =
            format!("FROM cell\n{workdir}\nRUN {option} /bin/sh /probe {CANARY} mounts >&2\n");
        fs::write(sandbox.path("context/Containerfile"), file).unwrap();
        let line = "img-build --no-cache --secret id=x,src=secret -t built context";
        Some(sandbox.words(line).outcome())
    });
}
