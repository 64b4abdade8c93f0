//! The program that a sandbox's processes run: a copy of our own, in memory.
//!
//! A process inside can reach the program that another runs as a file
//! (`/proc/PID/exe`), and the command itself is our program until it executes its
//! own; an image can even name `/proc/self/exe` as its command. What is written to
//! that file must not be the program that root starts next (CVE-2019-5736).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::surroundings::Measure;
use super::surroundings::Settings;
use crate::message;

/// A program to be executed by its path, as long as this is kept.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    _copy: Option<File>,
}

/// Where this process's own program is found.
const OWN: &str = "/proc/self/exe";

impl Program {
    /// The copy; our own program, with a warning, where there can be none.
    pub(super) fn prepare(settings: &Settings) -> Self {
        let own = Self { path: OWN.into(), _copy: None };
        if !settings.takes(Measure::OwnProgram) {
            return own;
        }
        match copy() {
            Ok(copy) => Self {
                path: format!("/proc/self/fd/{}", copy.as_raw_fd()).into(),
                _copy: Some(copy),
            },
            Err(error) => {
                message::warning(format_args!(
                    "no copy of this program for the sandbox: {error}: the command could write \
                     to the program itself, if its user may"
                ));
                own
            }
        }
    }
}

fn copy() -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 know no such flag, and make every such file executable.
    let memory = memfd_create("layerutils", flags | MemfdFlags::EXEC)
        .or_else(|_| memfd_create("layerutils", flags))?;
    let mut memory = File::from(memory);
    io::copy(&mut File::open(OWN)?, &mut memory)?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&memory, seals)?;
    Ok(memory)
}
