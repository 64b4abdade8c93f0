//! `/etc/resolv.conf` and `/etc/hosts`, as the command sees them.
//!
//! They are files of a tmpfs mounted over the image's own, so what is written to
//! them vanishes and the layer never holds them. `/etc/hostname` is the image's own.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};

use super::Error;
use super::error::Trying as _;
use super::plan::Plan;
use super::surroundings::Network;
use super::tree::Staging;

/// Where they are.
pub(super) const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// More than any of the host's own files should hold.
const LONGEST: u64 = 1 << 20;

/// Writes the files; they come in the order of [`FILES`].
pub(super) fn write(staging: &Staging, plan: &Plan) -> Result<Vec<(&'static str, OwnedFd)>, Error> {
    let directory = staging.directory("etc")?;
    let contents = [resolv_conf(plan), hosts(plan)];
    let mut files = Vec::new();
    for (path, content) in FILES.into_iter().zip(contents) {
        let name = path.trim_start_matches("/etc/");
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        let written = openat(directory.as_fd(), name, flags, Mode::from_raw_mode(0o644))
            .map_err(std::io::Error::from)
            .and_then(|fd| {
                let mut file = File::from(fd);
                file.write_all(&content)?;
                Ok(OwnedFd::from(file))
            });
        files.push((path, written.trying(|| format!("cannot prepare {path}"))?));
    }
    Ok(files)
}

/// The host's resolver, whose network the command shares; none without a network.
fn resolv_conf(plan: &Plan) -> Vec<u8> {
    match plan.settings.network {
        Network::Host => host_file("/etc/resolv.conf"),
        Network::None => Vec::new(),
    }
}

/// The host's names, and our own.
fn hosts(plan: &Plan) -> Vec<u8> {
    let mut hosts = match plan.settings.network {
        Network::Host => host_file("/etc/hosts"),
        Network::None => Vec::new(),
    };
    if hosts.is_empty() {
        hosts = b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_vec();
    }
    if hosts.last() != Some(&b'\n') {
        hosts.push(b'\n');
    }
    for (name, address) in &plan.settings.hosts {
        hosts.extend_from_slice(format!("{address}\t{name}\n").as_bytes());
    }
    hosts.extend_from_slice(format!("127.0.0.1\t{}\n", plan.settings.hostname).as_bytes());
    hosts
}

/// What a file of the host holds; nothing where there is none.
fn host_file(path: &str) -> Vec<u8> {
    let mut content = Vec::new();
    match File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut content)) {
        Ok(_) => content,
        Err(_) => Vec::new(),
    }
}
