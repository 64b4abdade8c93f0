//! What the caller and the sandbox's processes say to each other: datagrams of
//! JSON on a pair of sockets. The other end's death is the end of the stream.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Seek as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Descriptors that fit one datagram (`SCM_MAX_FD`).
pub(super) const MOST_DESCRIPTORS: usize = 253;

/// The longest datagram that we send.
const LONGEST: usize = 32 * 1024;

/// From the sandbox to its caller.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The user namespace is there: its ids are to be mapped now.
    WantsIds,
    /// Something the user should know, though it goes on.
    Warning(String),
    /// Why one id does not behave like root, though it was to be.
    NotEmulated(String),
    /// What is being done, for `--verbose`.
    Verbose(String),
    /// The command cannot be started.
    Failed {
        /// What failed, and why.
        what: String,
        /// What the user can do about it.
        hint: Option<String>,
    },
    /// As `Failed`: the root cannot be mounted in this way, and another may do.
    Unmountable {
        /// What failed, and why.
        what: String,
        /// What the user can do about it.
        hint: Option<String>,
    },
    /// The command is not there.
    NotFound(String),
    /// The command is there and exec(2) refuses it with this error number, for want of
    /// these capabilities if there are any.
    NotExecutable(String, i32, Vec<String>),
    /// The command's terminal, which comes along as a descriptor.
    Terminal,
    /// The command ended with this status.
    Exited(u8),
    /// The command was killed by this signal.
    Killed(i32),
}

/// From the caller to a process in a new user namespace.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The ids are mapped.
    IdsMapped,
}

/// One end.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

impl Channel {
    /// Two connected ends.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self(ours), theirs))
    }

    pub(super) fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// The end as it is handed to another process.
    pub(super) fn into_fd(self) -> OwnedFd {
        self.0
    }

    /// Sends a plan of any length, as a file in memory, and its descriptors.
    pub(super) fn send_plan(&self, plan: &impl Serialize, others: &[OwnedFd]) -> io::Result<()> {
        let mut file = std::fs::File::from(memfd_create("plan", MemfdFlags::CLOEXEC)?);
        file.write_all(&serde_json::to_vec(plan)?)?;
        let mut all = vec![file.as_fd()];
        all.extend(others.iter().map(AsFd::as_fd));
        if all.len() > MOST_DESCRIPTORS {
            return Err(io::Error::other(format!("more than {} mounts", MOST_DESCRIPTORS - 2)));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&all));
        sendmsg(&self.0, &[IoSlice::new(b"plan")], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Receives what [`Channel::send_plan`] sent.
    pub(super) fn receive_plan<T: DeserializeOwned>(&self) -> io::Result<(T, Vec<OwnedFd>)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut word = [0; 4];
        let slices = &mut [IoSliceMut::new(&mut word)];
        recvmsg(&self.0, slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if descriptors.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut file = std::fs::File::from(descriptors.remove(0));
        file.rewind()?;
        let mut json = Vec::new();
        file.read_to_end(&mut json)?;
        Ok((serde_json::from_slice(&json)?, descriptors))
    }

    /// Sends one message.
    pub(super) fn send(&self, message: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_vec(message)?;
        if json.len() > LONGEST {
            return Err(io::Error::other("message too long"));
        }
        rustix::net::send(&self.0, &json, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Sends one message with a descriptor.
    pub(super) fn send_with(&self, message: &impl Serialize, fd: impl AsFd) -> io::Result<()> {
        let json = serde_json::to_vec(message)?;
        let fds = [fd.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        sendmsg(&self.0, &[IoSlice::new(&json)], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Receives one message, and the descriptor if one comes along; `None` when the
    /// other end is closed.
    pub(super) fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Option<OwnedFd>)>> {
        let mut buffer = vec![0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        loop {
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let slices = &mut [IoSliceMut::new(&mut buffer)];
            let received = recvmsg(&self.0, slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC);
            let len = match received {
                Err(rustix::io::Errno::INTR) => continue,
                // Reset: the other end died without reading all that we sent.
                Err(rustix::io::Errno::CONNRESET) => return Ok(None),
                Err(errno) => return Err(errno.into()),
                Ok(received) if received.bytes == 0 => return Ok(None),
                Ok(received) => received.bytes,
            };
            let fd = ancillary.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
                _ => None,
            });
            let message = serde_json::from_slice(buffer.get(..len).unwrap_or_default())?;
            return Ok(Some((message, fd)));
        }
    }

    /// Reports to the caller. A caller that is gone needs no report.
    pub(super) fn report(&self, report: &Report) {
        let _ = self.send(report);
    }

    /// Reports a failure.
    pub(super) fn fail(&self, failure: super::Error) {
        let hint = failure.hint().map(std::borrow::Cow::into_owned);
        let refused = failure.is_refused_mount();
        let what = crate::errors::line(&failure);
        self.report(&match refused {
            true => Report::Unmountable { what, hint },
            false => Report::Failed { what, hint },
        });
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
