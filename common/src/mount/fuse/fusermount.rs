//! fusermount3(1), the set-id helper that mounts FUSE file systems for ordinary users.
//!
//! It sends the opened and mounted device over the socket that `_FUSE_COMMFD`
//! names (libfuse: util/fusermount.c).

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::process::{Command, Output};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType,
    recvmsg, socketpair,
};

use super::super::error::Error;
use super::refusal::{KIND, refused};

const PROGRAM: &str = "fusermount3";

/// Mounts on `point`, for this user to see, and gives the device to be served.
/// `source` holds no comma.
pub(super) fn mount(point: &Path, source: &str, writable: bool) -> Result<OwnedFd, Error> {
    let access = if writable { "rw" } else { "ro" };
    // Those that it gives ordinary users in any case, and lets them not do without.
    let access = format!("{access},nosuid,nodev");
    let options = format!("{access},default_permissions,fsname={source},subtype={KIND}");
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(|errno| refused(PROGRAM, errno))?;
    fcntl_setfd(&theirs, FdFlags::empty()).map_err(|errno| refused(PROGRAM, errno))?;
    let mut command = Command::new(PROGRAM);
    command.arg("-o").arg(options).arg("--").arg(point);
    command.env("_FUSE_COMMFD", theirs.as_raw_fd().to_string());
    let output = command.output();
    drop(theirs);
    checked(output)?;
    receive(&ours).map_err(|error| refused(PROGRAM, error))
}

/// Unmounts what this user has mounted on `point`.
pub(in super::super) fn unmount(point: &Path) -> Result<(), Error> {
    checked(Command::new(PROGRAM).arg("-u").arg("--").arg(point).output())
}

fn checked(output: io::Result<Output>) -> Result<(), Error> {
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NoFusermount,
        _ => refused(PROGRAM, error),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().trim_start_matches("fusermount3: ").replace('\n', "; ");
    Err(Error::Fusermount { said })
}

fn receive(socket: &OwnedFd) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut received = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
        _ => None,
    });
    received.next().ok_or_else(|| io::Error::other("it sent no device"))
}
