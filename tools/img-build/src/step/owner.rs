//! `--chown` and the owner of WORKDIR: names are looked up in the image's own files.

use crate::error::Error;
use crate::tree::{Last, Tree, file_of};

/// A passwd file larger than this is none.
const MAX_LEN_BYTES: u64 = 1 << 20;

/// The numbers that `USER[:GROUP]` stands for in an image. A number without a group
/// is its own group, a name without one has its primary group, as in BuildKit.
///
/// # Errors
/// A name that the image does not know, a file that cannot be read.
pub(crate) fn resolve(owner: &str, tree: &Tree) -> Result<(u32, u32), Error> {
    let (user, group) = match owner.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (owner, None),
    };
    let (uid, primary) = match user.parse::<u32>() {
        Ok(uid) => (uid, uid),
        Err(_) if user.is_empty() => (0, 0),
        Err(_) => {
            let found = lookup(tree, "etc/passwd", user)?;
            let id = |index: usize| found.get(index).and_then(|field| field.parse().ok());
            let unknown =
                || Error::Other(format!("user '{user}' is not in the image's /etc/passwd"));
            (id(2).ok_or_else(unknown)?, id(3).ok_or_else(unknown)?)
        }
    };
    let gid = match group {
        None => primary,
        Some(group) => match group.parse::<u32>() {
            Ok(gid) => gid,
            Err(_) => {
                let found = lookup(tree, "etc/group", group)?;
                let gid = found.get(2).and_then(|field| field.parse().ok());
                gid.ok_or_else(|| {
                    Error::Other(format!("group '{group}' is not in the image's /etc/group"))
                })?
            }
        },
    };
    if uid == u32::MAX || gid == u32::MAX {
        return Err(Error::Other(format!("invalid owner: '{owner}'")));
    }
    Ok((uid, gid))
}

/// The fields of the line for `name`, none if there is no such line.
fn lookup(tree: &Tree, path: &str, name: &str) -> Result<Vec<String>, Error> {
    let names = tree.resolve(path.as_bytes(), Last::Followed)?;
    let Some(file) = tree.get(&names).and_then(file_of) else { return Ok(Vec::new()) };
    let failed = |source| Error::Read { path: path.into(), source };
    let bytes = file.small(MAX_LEN_BYTES).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines().map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>());
    Ok(lines.find(|fields| fields.first().is_some_and(|field| field == name)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::resolve;
    use crate::tree::{Attributes, File, Item, Tree, components};
    use common::time::Timestamp;

    #[test]
    fn names_are_the_images_and_numbers_are_themselves() {
        let mut tree = Tree::new();
        let attributes = Attributes::implied(Timestamp::EPOCH);
        tree.make_directories(&[b"etc".to_vec()], &attributes).unwrap();
        for (path, text) in
            [("etc/passwd", "root:x:0:0:\nann:x:7:8:Ann\n"), ("etc/group", "staff:x:50:ann\n")]
        {
            let file = File::of_bytes(text.as_bytes());
            let names: Vec<_> = components(path.as_bytes()).collect();
            tree.put(&names, Item::file(attributes.clone(), file));
        }
        for (owner, expected) in [
            ("ann", Some((7, 8))),
            ("ann:staff", Some((7, 50))),
            ("ann:3", Some((7, 3))),
            ("5", Some((5, 5))),
            ("5:", Some((5, 5))),
            ("5:6", Some((5, 6))),
            (":6", Some((0, 6))),
            ("bob", None),
            ("ann:wheel", None),
            ("4294967295", None),
        ] {
            assert_eq!(resolve(owner, &tree).ok(), expected, "{owner}");
        }
    }
}
