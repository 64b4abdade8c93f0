//! Who runs the command: `USER[:GROUP]` looked up in the image's own files.
//!
//! The files are the image's and not trusted: they are opened inside the root,
//! must be regular, and are read up to a bound. The rules are docker's: a number
//! needs no entry, a group that is given replaces all others, without an entry
//! the group is 0, and the group is among the supplementary ones too: who may gain or
//! change a group is still in this one (CVE-2022-36109).

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use super::Error;
use super::error::Trying as _;
use crate::root::Root;

/// More than any passwd or group file needs.
const LONGEST: u64 = 4 << 20;

/// What the C library takes, too. The number after the largest of the kernel would mean
/// to stay who one is.
const LARGEST_ID: u32 = i32::MAX as u32;

/// Ids, and the home directory if the passwd file names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Supplementary groups, the first of which is `gid`.
    pub(super) groups: Vec<u32>,
    pub(super) home: Option<String>,
}

impl User {
    /// Whether it is in more groups than its own.
    pub(super) fn has_other_groups(&self) -> bool {
        self.groups.iter().any(|group| *group != self.gid)
    }
}

/// Looks `name` up inside `root`.
pub(super) fn look_up(root: BorrowedFd<'_>, name: Option<&str>) -> Result<User, Error> {
    let root = Root::from_fd(root.try_clone_to_owned().trying(|| "the root".into())?);
    let passwd = read(&root, "/etc/passwd")?;
    let group = read(&root, "/etc/group")?;
    find(name.unwrap_or("0"), &passwd, &group)
}

/// A number that can be an id, if it is one.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id <= LARGEST_ID)
}

/// A file inside the root; empty if it is missing.
fn read(root: &Root, path: &str) -> Result<String, Error> {
    let read = || -> io::Result<String> {
        let file = match root.open_file(path.as_bytes()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(String::new()),
            Err(Errno::INVAL) => return Err(io::Error::other("not a regular file")),
            Err(errno) => return Err(errno.into()),
        };
        let mut bytes = Vec::new();
        if file.take(LONGEST + 1).read_to_end(&mut bytes)? as u64 > LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().trying(|| format!("the image's {path}"))
}

/// The lookup itself, on the content of the two files.
fn find(name: &str, passwd: &str, group: &str) -> Result<User, Error> {
    let (user, wanted_group) = match name.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (name, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let number = id(user);
    let entry = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, rest @ ..] = fields.as_slice() else { return None };
        let (uid, gid) = (id(uid)?, id(gid)?);
        let home = rest.get(1).filter(|home| !home.is_empty()).map(|home| (*home).to_owned());
        (*name == user || number == Some(uid)).then(|| ((*name).to_owned(), uid, gid, home))
    });
    let (name, uid, gid, home) = match (entry, number) {
        (Some((name, uid, gid, home)), _) => (Some(name), uid, gid, home),
        (None, Some(uid)) => (None, uid, 0, None),
        (None, None) => {
            let what = format!("no user {user:?} in the image's /etc/passwd");
            return Err(Error::new(what));
        }
    };
    let Some(wanted) = wanted_group else {
        let mut groups = vec![gid];
        let others = name.map(|name| memberships(group, &name)).unwrap_or_default();
        groups.extend(others.into_iter().filter(|other| *other != gid));
        return Ok(User { uid, gid, groups, home });
    };
    let gid = group
        .lines()
        .filter_map(group_entry)
        .find(|(name, gid, _)| *name == wanted || id(wanted) == Some(*gid))
        .map(|(_, gid, _)| gid)
        .or_else(|| id(wanted))
        .ok_or_else(|| Error::new(format!("no group {wanted:?} in the image's /etc/group")))?;
    Ok(User { uid, gid, groups: vec![gid], home })
}

fn group_entry(line: &str) -> Option<(&str, u32, &str)> {
    let mut fields = line.split(':');
    let (name, _, gid) = (fields.next()?, fields.next()?, fields.next()?);
    Some((name, id(gid)?, fields.next().unwrap_or_default()))
}

fn memberships(group: &str, user: &str) -> Vec<u32> {
    let entries = group.lines().filter_map(group_entry);
    entries
        .filter(|(_, _, members)| members.split(',').any(|member| member == user))
        .map(|(_, gid, _)| gid)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{User, find};

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1001::/home/node:/bin/sh\n\
                          broken:line\n";
    const GROUP: &str = "root:x:0:\nnode:x:1001:\naudio:x:29:node,x\nvideo:x:44:x\n";

    fn user(name: &str) -> User {
        find(name, PASSWD, GROUP).unwrap()
    }

    #[test]
    fn names_and_numbers_find_the_same_entry() {
        let node = user("node");
        assert_eq!((node.uid, node.gid, node.groups.as_slice()), (1000, 1001, &[1001, 29][..]));
        assert_eq!(node.home.as_deref(), Some("/home/node"));
        assert_eq!(user("1000"), node);
    }

    #[test]
    fn a_group_that_is_given_replaces_all_others() {
        let node = user("node:video");
        assert_eq!((node.uid, node.gid, node.groups.as_slice()), (1000, 44, &[44][..]));
        assert_eq!(user("node:7").gid, 7);
    }

    #[test]
    fn numbers_need_no_entry_and_names_do() {
        let user = user("12345");
        assert_eq!((user.uid, user.gid, user.home), (12345, 0, None));
        assert!(find("nobody", PASSWD, GROUP).is_err());
        assert!(find("node:none", PASSWD, GROUP).is_err());
        // To the kernel this one is nobody at all: whoever becomes it stays root.
        assert!(find("4294967295", PASSWD, GROUP).is_err());
        assert!(find("0:4294967295", PASSWD, GROUP).is_err());
        assert!(find("x", "x:x:4294967295:4294967295::/:/bin/sh\n", "").is_err());
        assert_eq!(find("", "", "").unwrap().uid, 0);
    }
}
