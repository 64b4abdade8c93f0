//! What `-v` and `--tmpfs` mean, in docker's words.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{OsStringValueParser, TypedValueParser as _, ValueParserFactory};
use common::human::parse_docker_size;
use common::name::show;
use common::sandbox::{self, Access, Mount, Programs, Source};

/// `SOURCE:TARGET[:ro]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Volume {
    source: PathBuf,
    target: PathBuf,
    access: Access,
}

/// Why an operand of `-v` or `--tmpfs` is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("not SOURCE:TARGET[:ro]: '{}'", show(.0))]
    Volume(Vec<u8>),
    #[error("the target must be absolute, and not the root: '{}'", show(.0))]
    Target(Vec<u8>),
    #[error("unknown option: '{}'", show(.0))]
    Option(Vec<u8>),
}

impl Volume {
    fn parse(text: &OsStr) -> Result<Self, Invalid> {
        let fields: Vec<&[u8]> = text.as_bytes().split(|byte| *byte == b':').collect();
        let (source, target, options) = match fields.as_slice() {
            [source, target] => (*source, *target, &b""[..]),
            [source, target, options] => (*source, *target, *options),
            _ => return Err(Invalid::Volume(text.as_bytes().to_vec())),
        };
        if source.is_empty() {
            return Err(Invalid::Volume(text.as_bytes().to_vec()));
        }
        let mut access = Access::ReadWrite;
        for option in options.split(|byte| *byte == b',').filter(|option| !option.is_empty()) {
            access = match option {
                b"ro" => Access::ReadOnly,
                b"rw" => Access::ReadWrite,
                other => return Err(Invalid::Option(other.to_vec())),
            };
        }
        Ok(Self { source: path(source), target: checked(target)?, access })
    }

    pub(crate) fn mount(self) -> Mount {
        Mount { source: Source::Path(self.source), target: self.target, access: self.access }
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

fn checked(target: &[u8]) -> Result<PathBuf, Invalid> {
    let names = target.split(|byte| *byte == b'/').any(|name| !matches!(name, b"" | b"." | b".."));
    if target.first() == Some(&b'/') && names {
        Ok(path(target))
    } else {
        Err(Invalid::Target(target.to_vec()))
    }
}

impl ValueParserFactory for Volume {
    type Parser = clap::builder::ValueParser;

    fn value_parser() -> Self::Parser {
        OsStringValueParser::new().try_map(|text| Self::parse(&text)).into()
    }
}

/// `TARGET[:OPTION,...]`, with docker's options and defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tmpfs {
    target: PathBuf,
    tmpfs: sandbox::Tmpfs,
    access: Access,
}

impl FromStr for Tmpfs {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (target, options) = text.split_once(':').unwrap_or((text, ""));
        let target = checked(target.as_bytes())?;
        let mut access = Access::ReadWrite;
        let mut tmpfs = sandbox::Tmpfs {
            size_bytes: None,
            mode: 0o1777,
            owner: (0, 0),
            programs: Programs::Refused,
        };
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let unknown = || Invalid::Option(option.as_bytes().to_vec());
            let id = |text: &str| text.parse().map_err(|_| unknown());
            match option.split_once('=').unwrap_or((option, "")) {
                ("size", size) => {
                    tmpfs.size_bytes = Some(parse_docker_size(size).ok_or_else(unknown)?)
                }
                ("mode", mode) => {
                    let mode = u32::from_str_radix(mode, 8).map_err(|_| unknown())?;
                    tmpfs.mode = Some(mode).filter(|mode| *mode <= 0o7777).ok_or_else(unknown)?;
                }
                ("uid", uid) => tmpfs.owner.0 = id(uid)?,
                ("gid", gid) => tmpfs.owner.1 = id(gid)?,
                ("ro", "") => access = Access::ReadOnly,
                ("rw", "") => access = Access::ReadWrite,
                ("exec", "") => tmpfs.programs = Programs::Run,
                ("noexec", "") => tmpfs.programs = Programs::Refused,
                // As it always is.
                ("nosuid" | "nodev", "") => {}
                _ => return Err(unknown()),
            }
        }
        Ok(Self { target, tmpfs, access })
    }
}

impl Tmpfs {
    pub(crate) fn mount(self) -> Mount {
        Mount { source: Source::Tmpfs(self.tmpfs), target: self.target, access: self.access }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{Access, Invalid, Programs, Tmpfs, Volume};

    fn volume(text: &str) -> Result<Volume, Invalid> {
        Volume::parse(OsStr::new(text))
    }

    #[test]
    fn volumes_are_read_as_docker_reads_them() {
        let expected = Volume { source: "a".into(), target: "/b".into(), access: Access::ReadOnly };
        assert_eq!(volume("a:/b:ro"), Ok(expected));
        assert_eq!(volume("a:/b").unwrap().access, Access::ReadWrite);
        for bad in ["", "a", ":/b", "a:b", "a:/", "a:/b:rx", "a:/..", "a:/b:ro:x"] {
            assert!(volume(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tmpfs_has_a_size_and_a_mode() {
        let tmpfs: Tmpfs = "/t:size=64m,mode=700".parse().unwrap();
        assert_eq!((tmpfs.tmpfs.size_bytes, tmpfs.tmpfs.mode), (Some(64 << 20), 0o700));
        let usual: Tmpfs = "/t".parse().unwrap();
        assert_eq!((usual.tmpfs.mode, usual.tmpfs.programs), (0o1777, Programs::Refused));
        let other: Tmpfs = "/t:ro,exec,nosuid,nodev,uid=3,gid=4".parse().unwrap();
        assert_eq!((other.tmpfs.owner, other.tmpfs.programs), ((3, 4), Programs::Run));
        assert_eq!(other.access, Access::ReadOnly);
        for bad in ["t", "/t:size", "/t:size=x", "/t:mode=99", "/t:uid=x", "/t:suid", "/t:ro=1"] {
            assert!(bad.parse::<Tmpfs>().is_err(), "{bad}");
        }
    }
}
