//! The tree in which attempts are made: this program, and the libraries that it needs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

/// This program, inside.
pub(crate) const PROBE: &str = "/probe";

/// A root directory.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) root: PathBuf,
}

/// What an image can pass off as its list of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hostile {
    Plain,
    Fifo,
    Device,
    Huge,
}

impl Image {
    /// `None` where ldd(1) does not tell the libraries.
    pub(crate) fn build(scratch: &Path) -> Option<Self> {
        let root = scratch.join("root");
        for name in ["etc", "dev", "proc", "sys", "tmp"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::set_permissions(scratch, fs::Permissions::from_mode(0o755)).unwrap();
        let program = fs::read_link("/proc/self/exe").unwrap();
        let output = std::process::Command::new("ldd").arg(&program).output().ok()?;
        let libraries = String::from_utf8(output.stdout).unwrap();
        for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
            let target = root.join(library.trim_start_matches('/'));
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(library, target).unwrap();
        }
        fs::copy(&program, root.join("probe")).unwrap();
        fs::copy(&program, root.join("set-id")).unwrap();
        fs::set_permissions(root.join("set-id"), fs::Permissions::from_mode(0o4755)).unwrap();
        let image = Self { root };
        image.replace_passwd(Hostile::Plain);
        Some(image)
    }

    pub(crate) fn replace_passwd(&self, by: Hostile) {
        let path = self.root.join("etc/passwd");
        let _ = fs::remove_file(&path);
        match by {
            Hostile::Plain => fs::write(path, "root:x:0:0::/:/probe\n").unwrap(),
            Hostile::Fifo => mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap(),
            Hostile::Device => {
                let zero = rustix::fs::makedev(1, 5);
                mknodat(CWD, path, FileType::CharacterDevice, Mode::RUSR, zero).unwrap();
            }
            Hostile::Huge => {
                fs::OpenOptions::new()
                    .create(true)
                    .write(true)
                    .truncate(true)
                    .open(path)
                    .and_then(|file| file.set_len(1 << 40))
                    .unwrap();
            }
        }
    }
}
