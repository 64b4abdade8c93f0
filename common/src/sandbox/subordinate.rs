//! Subordinate ids: the ranges that subuid(5) and subgid(5) grant, and their mapping by
//! newuidmap(1) and newgidmap(1).

use std::process::Command;

use nix::unistd::Pid;

use super::Error;

const UIDS: &str = "/etc/subuid";
const GIDS: &str = "/etc/subgid";

/// As many ids as useradd(8) grants.
const USUAL_COUNT: u32 = 65_536;

/// Where useradd(8) begins.
const FIRST: u32 = 100_000;

/// The caller's ranges: where each starts, and how many ids it has.
#[derive(Debug)]
pub(super) struct Ranges {
    users: (u32, u32),
    groups: (u32, u32),
}

impl Ranges {
    /// The first range of users and of groups that the caller has.
    ///
    /// # Errors
    /// One of them is missing.
    pub(super) fn of_caller() -> Result<Self, Error> {
        let uid = nix::unistd::getuid();
        let number = uid.to_string();
        let name = caller();
        let range = |path: &str| {
            find(&read(path), &[&name, &number]).ok_or_else(|| {
                let what = format!("no subordinate ids for {number} in {path}");
                Error::new(what).with_hint(format!("have root grant some: {}", grant()))
            })
        };
        Ok(Self { users: range(UIDS)?, groups: range(GIDS)? })
    }

    /// Maps the ids of the process `pid`, which is in a new user namespace.
    pub(super) fn map(&self, pid: Pid) -> Result<(), Error> {
        let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
        for (program, own, (start, count)) in
            [("newuidmap", uid, self.users), ("newgidmap", gid, self.groups)]
        {
            let numbers = [0, own, 1, 1, start, count].map(|number| number.to_string());
            let output = Command::new(program).arg(pid.to_string()).args(numbers).output();
            let output = output.map_err(|error| {
                Error::system(program, error).with_hint("install it (Debian: uidmap)")
            })?;
            if !output.status.success() {
                let text = String::from_utf8_lossy(&output.stderr);
                return Err(Error::new(format!("{program}: {}", text.trim())));
            }
        }
        Ok(())
    }
}

/// The command with which root grants the caller ids that nobody else has.
pub(super) fn grant() -> String {
    let (users, groups) = (read(UIDS), read(GIDS));
    match free(&[&users, &groups]) {
        Some((first, last)) => {
            let range = format!("{first}-{last}");
            format!("usermod --add-subuids {range} --add-subgids {range} {}", caller())
        }
        None => format!("add ranges that nobody has to {UIDS} and {GIDS}"),
    }
}

/// The caller's name, or number if it has none.
fn caller() -> String {
    let uid = nix::unistd::getuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The lines of subuid(5): who has ids, the first, and how many.
fn lines(table: &str) -> impl Iterator<Item = (&str, u32, u32)> {
    table.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, start, count) = (fields.next()?, fields.next()?, fields.next()?);
        Some((name, start.trim().parse().ok()?, count.trim().parse().ok()?))
    })
}

/// The first range that one of `names` has.
fn find(table: &str, names: &[&str]) -> Option<(u32, u32)> {
    let mut ranges = lines(table).filter(|(name, _, count)| names.contains(name) && *count > 0);
    ranges.next().map(|(_, start, count)| (start, count))
}

/// The first and the last id of a range above all that are granted.
fn free(tables: &[&str]) -> Option<(u32, u32)> {
    let ends = tables.iter().flat_map(|table| lines(table));
    let ends = ends.map(|(_, start, count)| start.saturating_add(count));
    let first = ends.max().unwrap_or(FIRST).max(FIRST);
    // The last number of all stands for no id.
    let last = first.checked_add(USUAL_COUNT - 1).filter(|last| *last < u32::MAX)?;
    Some((first, last))
}

#[cfg(test)]
mod tests {
    use super::{find, free};

    #[test]
    fn ranges_are_found_by_name_or_number() {
        let table = "# x\nann:100000:65536\n1001:200000:10\nbad:x:1\nnone:5:0\n";
        assert_eq!(find(table, &["ann", "7"]), Some((100_000, 65_536)));
        assert_eq!(find(table, &["bob", "1001"]), Some((200_000, 10)));
        assert_eq!(find(table, &["bad"]), None);
        assert_eq!(find(table, &["none"]), None);
    }

    #[test]
    fn a_free_range_is_one_that_nobody_has() {
        assert_eq!(free(&["", ""]), Some((100_000, 165_535)));
        assert_eq!(free(&["ann:100000:65536\n", "bob:165536:10\n"]), Some((165_546, 231_081)));
        assert_eq!(free(&["old:5:10\n"]), Some((100_000, 165_535)));
        assert_eq!(free(&["all:100000:4294867295\n"]), None);
    }
}
