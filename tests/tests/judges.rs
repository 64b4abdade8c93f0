//! Independent judges of what layers mean: umoci, docker, and the kernel's own
//! overlay, on every layer of a real image and on small layers of which the
//! specification leaves no choice.
//!
//! `LAYERUTILS_TEST_ROOTFS` names the archive of the real image, as for `rootfs.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fs::File;
use std::path::{Path, PathBuf};

use common::tar::{Entry, Kind, Writer};
use common::time::Timestamp;
use layerutils_tests::binaries;
use layerutils_tests::require;
use layerutils_tests::requirement::{Requirement, skip};
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tree::dump::{difference, dump};
use layerutils_tests::tree::{self, Tree, assert_same};

// --- Layers -------------------------------------------------------------------------

fn entry(path: &str, kind: Kind) -> Entry {
    Entry {
        path: path.into(),
        mode: if kind == Kind::Directory { 0o755 } else { 0o644 },
        kind,
        uid: 0,
        gid: 0,
        mtime: Timestamp { seconds: 1_000_000_000, nanoseconds: 0 },
        len_bytes: 0,
        xattrs: Default::default(),
    }
}

fn dir(path: &str) -> Entry {
    entry(path, Kind::Directory)
}

/// A file that holds its own path and these words.
fn file(path: &str) -> Entry {
    entry(path, Kind::File)
}

fn symlink(path: &str, target: &str) -> Entry {
    entry(path, Kind::Symlink { target: target.into() })
}

fn hard_link(path: &str, target: &str) -> Entry {
    entry(path, Kind::HardLink { target: target.into() })
}

fn owned(entry: Entry, mode: u32, uid: u32, gid: u32) -> Entry {
    Entry { mode, uid, gid, ..entry }
}

fn with_xattr(mut entry: Entry, name: &str, value: &[u8]) -> Entry {
    entry.xattrs.insert(name.into(), value.into());
    entry
}

/// Writes a layer; files hold `word` and their path, whiteouts nothing.
fn write(path: &Path, word: &str, entries: Vec<Entry>) {
    let mut writer = Writer::new(File::create(path).unwrap());
    for mut entry in entries {
        let mut content = Vec::new();
        let name = entry.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        if entry.kind == Kind::File && !name.starts_with(b".wh.") {
            content = [word.as_bytes(), b" ", &entry.path].concat();
        }
        entry.len_bytes = content.len() as u64;
        writer.append(&entry, &content[..]).unwrap();
    }
    writer.finish().unwrap();
}

/// How much of the specification a judge can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// Late, too, but without whiteouts beside something new of that name in their own
    /// layer (docker fails on late ones, and forgets to hide what is in a directory for
    /// early ones), and without times before 1970, which it does not export.
    Docker,
    /// Whiteouts come before what their layer has in their place.
    Early,
    /// They come after it, too.
    Late,
}

/// Layers that say what the specification decides.
fn semantics(sandbox: &Sandbox, rows: Rows) -> Vec<PathBuf> {
    let capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let long = format!("{}/{}", "p".repeat(180), "n".repeat(250));
    let base = vec![
        dir("./"),
        dir("etc"),
        dir("d"),
        file("d/gone"),
        file("d/kept"),
        dir("d/sub"),
        file("d/sub/x"),
        dir("tree-gone"),
        dir("tree-gone/deep"),
        file("tree-gone/deep/x"),
        symlink("link-gone", "d"),
        dir("replaced"),
        file("replaced/old"),
        dir("opaque"),
        file("opaque/old"),
        dir("opaque/sub"),
        file("opaque/sub/old"),
        with_xattr(owned(dir("attributes"), 0o2775, 5, 6), "user.old", b"1"),
        file("attributes/kept"),
        dir("dir-to-file"),
        file("dir-to-file/x"),
        file("file-to-dir"),
        file("file-to-link"),
        symlink("link-to-file", "d"),
        file("linked"),
        hard_link("linked-too", "linked"),
        file("returns"),
        file("later"),
    ];
    let mut middle = vec![
        dir("./"),
        dir("d"),
        file("d/.wh.gone"),
        file("d/new"),
        file(".wh.tree-gone"),
        file(".wh.link-gone"),
        dir("opaque"),
        file("opaque/.wh..wh..opq"),
        file("opaque/new"),
        with_xattr(owned(dir("attributes"), 0o711, 7, 8), "user.new", b"2"),
        file("dir-to-file"),
        dir("file-to-dir"),
        file("file-to-dir/x"),
        symlink("file-to-link", "d/kept"),
        file("link-to-file"),
        // A new file: the other name keeps the old one.
        file("linked"),
        file(".wh.returns"),
        // Kinds, owners, modes, times, names.
        owned(file("set-id"), 0o6755, 1234, 4321),
        with_xattr(file("capable"), "security.capability", capability),
        with_xattr(file("tagged"), "user.tag", b"a\nb"),
        owned(dir("sticky"), 0o1777, 0, 0),
        owned(file("far"), 0o600, 3_000_000_000, 3_000_000_001),
        entry("fifo", Kind::Fifo),
        entry("null", Kind::CharDevice { major: 1, minor: 3 }),
        entry("loop", Kind::BlockDevice { major: 7, minor: 200 }),
        file("one"),
        hard_link("two", "one"),
        hard_link("d/three", "two"),
        symlink("soft", "nowhere"),
        hard_link("soft-too", "soft"),
        dir(&long[..180]),
        file(&long),
        file("new\nline"),
    ];
    if rows != Rows::Docker {
        middle.extend([
            file(".wh.replaced"),
            dir("replaced"),
            file("replaced/new"),
            Entry { mtime: Timestamp { seconds: -86_400, nanoseconds: 0 }, ..file("old") },
        ]);
    }
    if rows == Rows::Late {
        middle.extend([
            dir("late"),
            file("late/x"),
            file(".wh.late"),
            file("later"),
            file(".wh.later"),
        ]);
    }
    if rows != Rows::Early {
        let opaque = middle.iter().position(|entry| entry.path == b"opaque/.wh..wh..opq").unwrap();
        let opaque = middle.remove(opaque);
        middle.push(opaque);
    }
    let upper = vec![
        dir("./"),
        file("returns"),
        dir("d"),
        file("d/gone"),
        dir("d/sub"),
        file("d/sub/.wh.x"),
        file("d/.wh.three"),
        file("dir-to-file"),
        file(".wh.file-to-dir"),
    ];
    let layers = [("base", base), ("middle", middle), ("upper", upper)];
    let write_one = |(word, entries): (&str, _)| {
        let path = sandbox.path(format!("{word}.layer"));
        write(&path, word, entries);
        path
    };
    layers.into_iter().map(write_one).collect()
}

/// The layers of a real image: a root file system, and what commands change in it.
fn real(sandbox: &Sandbox) -> Vec<PathBuf> {
    let archive = PathBuf::from(std::env::var_os("LAYERUTILS_TEST_ROOTFS").unwrap());
    std::os::unix::fs::symlink(archive.canonicalize().unwrap(), sandbox.path("0.layer")).unwrap();
    let changes = [
        "echo hi >/hello && ln /hello /srv/link && rm /etc/debian_version && chmod 700 /opt && \
         rm -r /usr/share/doc && mkdir /usr/share/doc && touch /usr/share/doc/only && \
         mv /usr/share/perl5 /usr/share/moved && chown 12:34 /usr/bin/env",
        "rm -r /usr/share/moved /var/lib/apt/lists && echo file >/var/lib/apt/lists && \
         rm /hello && mkdir /hello && cp -a /usr/lib/os-release /hello/ && \
         ln -s /usr/bin /usr/share/doc/bin && echo again >/etc/debian_version && \
         mknod /srv/fifo p && touch -d @1 /usr/share && chmod u+s /usr/bin/env",
        "rm -r /usr/share/doc /etc/skel && mkdir -m 711 /etc/skel && chmod 755 /opt && \
         mv /usr/bin/env /usr/bin/environment && rm /srv/link",
    ];
    let run = |line: &str| sandbox.sh(line).succeeds();
    run("img-commit -t real scratch 0.layer");
    let mut layers = vec![sandbox.path("0.layer")];
    for (number, change) in (1..).zip(changes) {
        run(&format!("union-mount --image real --upper up{number} -- sh -ec '{change}'"));
        run(&format!("layer-diff --overlay up{number} >{number}.layer"));
        run(&format!("img-commit -t real real {number}.layer"));
        layers.push(sandbox.path(format!("{number}.layer")));
    }
    layers
}

// --- Judges -------------------------------------------------------------------------

/// Applies one more layer to the folder `ours`.
fn apply(sandbox: &Sandbox, layer: &Path) -> PathBuf {
    sandbox.sh(&format!("layer-apply ours {}", layer.display())).succeeds();
    sandbox.path("ours")
}

/// Asks the judges what the tree is after each of the layers.
fn judge(sandbox: &Sandbox, layers: &[PathBuf], judges: &[Judge]) {
    for (number, layer) in layers.iter().enumerate() {
        let ours = apply(sandbox, layer);
        for judge in judges {
            match judge {
                Judge::Umoci => umoci(sandbox, number, layer, &ours),
                Judge::Kernel => kernel(sandbox, number, layer, &ours),
                Judge::Docker => docker(sandbox, number, layer, &ours),
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Judge {
    /// Unpacks an image of the layers.
    Umoci,
    /// Shows the layers, each in overlay form, as one tree.
    Kernel,
    /// Loads an image of the layers, and exports a container of it.
    Docker,
}

fn umoci(sandbox: &Sandbox, number: usize, layer: &Path, ours: &Path) {
    if number == 0 {
        sandbox.sh("umoci init --layout image && umoci new --image image:x").succeeds();
    }
    let line = format!(
        "umoci raw add-layer --image image:x {} && \
         umoci raw unpack --image image:x theirs 2>/dev/null",
        layer.display()
    );
    sandbox.sh(&line).succeeds();
    assert_same(&sandbox.path("theirs"), ours);
    std::fs::remove_dir_all(sandbox.path("theirs")).unwrap();
}

fn kernel(sandbox: &Sandbox, number: usize, layer: &Path, ours: &Path) {
    let lowers: Vec<_> = (0..number).map(|below| format!("--lower lower-{below}")).collect();
    let (lowers, layer) = (lowers.join(" "), layer.display());
    sandbox.sh(&format!("layer-apply --overlay {lowers} lower-{number} {layer}")).succeeds();
    // One lower directory alone is no overlay.
    let stack: String = (0..=number).rev().map(|lower| format!("lower-{lower}:")).collect();
    let line = format!(
        "mkdir -p none mnt && unshare --mount sh -ec \
         'mount -t overlay overlay -o lowerdir={stack}none mnt && exec {} mnt'",
        binaries::path("tree-dump").display()
    );
    let shown = sandbox.sh(&line).succeeds();
    let difference = difference(shown.text(), &dump(&tree::read(ours).unwrap()));
    assert!(difference.is_empty(), "the mount (-) and ours (+) differ:\n{difference}");
}

fn docker(sandbox: &Sandbox, number: usize, layer: &Path, ours: &Path) {
    let name = format!("layerutils-judge-{}", std::process::id());
    let parent = if number == 0 { "scratch" } else { "judged" };
    let layer = layer.display();
    let script = format!(
        "img-commit -t judged {parent} {layer} && \
         img-copy judged docker-archive:image.tar:{name}:latest && docker load -qi image.tar && \
         id=$(docker create --network none {name} /x) && mkdir docker && \
         docker export $id | tar -C docker -xp --numeric-owner; status=$?; rm image.tar; \
         docker rm $id >/dev/null; docker rmi -f {name} >/dev/null; exit $status"
    );
    sandbox.sh(&script).succeeds();
    let read = |path: &Path| dump(&as_docker_exports(tree::read(path).unwrap()));
    let theirs = sandbox.path("docker");
    let difference = difference(&read(ours), &read(&theirs));
    assert!(difference.is_empty(), "ours (-) and docker's (+) differ:\n{difference}");
    std::fs::remove_dir_all(theirs).unwrap();
}

/// What of a tree docker's export tells: no extended attributes but capabilities,
/// whole seconds, and not what it puts into every container.
fn as_docker_exports(mut tree: Tree) -> Tree {
    let made: [&[u8]; 8] = [
        b".dockerenv",
        b"dev",
        b"proc",
        b"sys",
        b"etc/hostname",
        b"etc/hosts",
        b"etc/mtab",
        b"etc/resolv.conf",
    ];
    tree.nodes.retain(|path, _| {
        !made.iter().any(|made| path == made || path.starts_with(&[made, &b"/"[..]].concat()))
    });
    for (path, node) in &mut tree.nodes {
        node.attributes.nanoseconds = 0;
        node.attributes.xattrs.clear();
        // Where it made something.
        if path.is_empty() || path == b"etc" {
            (node.attributes.mode, node.attributes.seconds) = (0, 0);
        }
    }
    tree
}

// --- Cases --------------------------------------------------------------------------

#[test]
fn umoci_agrees_on_what_the_specification_decides() {
    require!(Root, Peer("umoci"));
    for rows in [Rows::Early, Rows::Late] {
        let sandbox = Sandbox::new();
        judge(&sandbox, &semantics(&sandbox, rows), &[Judge::Umoci]);
    }
}

#[test]
fn the_kernel_agrees_on_what_the_specification_decides() {
    require!(Root, Peer("unshare"));
    for rows in [Rows::Early, Rows::Late] {
        let sandbox = Sandbox::new();
        judge(&sandbox, &semantics(&sandbox, rows), &[Judge::Kernel]);
    }
}

#[test]
fn docker_agrees_on_what_the_specification_decides() {
    require!(Root, DockerDaemon);
    let sandbox = Sandbox::new();
    judge(&sandbox, &semantics(&sandbox, Rows::Docker), &[Judge::Docker]);
}

#[test]
fn all_agree_on_every_layer_of_a_real_image() {
    require!(Variable("LAYERUTILS_TEST_ROOTFS"), Root, Peer("unshare"));
    let sandbox = Sandbox::new();
    let mut judges = vec![Judge::Kernel];
    for (other, needs, name) in [
        (Judge::Umoci, Requirement::Peer("umoci"), " (umoci)"),
        (Judge::Docker, Requirement::DockerDaemon, " (docker)"),
    ] {
        match needs.check() {
            Ok(()) => judges.push(other),
            Err(reason) => skip(name, &reason),
        }
    }
    judge(&sandbox, &real(&sandbox), &judges);
}
