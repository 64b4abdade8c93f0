//! Which extended attributes belong to a layer.

use crate::glob::Glob;
use crate::tar::Xattrs;

/// Attributes that say something of this host and not of the tree: labels of its
/// policy, keys of its kernel, marks of its file systems.
const HOST_BOUND: [&[u8]; 4] =
    [b"security.selinux", b"security.evm", b"security.apparmor", b"system.nfs4_acl"];

/// The beginnings of more of them.
const HOST_BOUND_PREFIXES: [&[u8]; 2] = [b"security.SMACK64", b"btrfs."];

/// Rules that keep attributes or leave them out. Without any, all are kept but
/// those that are bound to the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct XattrRules(Vec<Rule>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    keep: bool,
    names: Glob,
}

impl XattrRules {
    /// Adds a rule: `PATTERN` keeps the attributes that match, `!PATTERN` leaves
    /// them out. The last rule that matches decides. Where none does, an attribute
    /// is kept only if there is no rule that keeps, and it is not bound to the host.
    pub fn push(&mut self, text: &[u8]) {
        let (keep, pattern) = match text.strip_prefix(b"!") {
            Some(pattern) => (false, pattern),
            None => (true, text),
        };
        self.0.push(Rule { keep, names: Glob::new(pattern) });
    }

    /// Whether the attribute `name` belongs to the layer.
    #[must_use]
    pub fn keep(&self, name: &[u8]) -> bool {
        self.decided(name).unwrap_or_else(|| {
            let is_host_bound = HOST_BOUND.contains(&name)
                || HOST_BOUND_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            self.want(name) && !is_host_bound
        })
    }

    /// Whether the rules ask for the attribute `name`, whatever it is bound to.
    #[must_use]
    pub fn want(&self, name: &[u8]) -> bool {
        self.decided(name).unwrap_or_else(|| !self.0.iter().any(|rule| rule.keep))
    }

    /// What a rule says of the attribute, if one does.
    pub(super) fn decided(&self, name: &[u8]) -> Option<bool> {
        let rule = self.0.iter().rev().find(|rule| rule.names.matches(name));
        rule.map(|rule| rule.keep)
    }

    pub(super) fn apply(&self, xattrs: &mut Xattrs) {
        xattrs.retain(|name, _| self.keep(name));
    }
}

#[cfg(test)]
mod tests {
    use super::XattrRules;

    fn rules(texts: &[&str]) -> XattrRules {
        let mut rules = XattrRules::default();
        texts.iter().for_each(|text| rules.push(text.as_bytes()));
        rules
    }

    #[test]
    fn what_is_bound_to_the_host_stays_there() {
        let rules = rules(&[]);
        assert!(rules.keep(b"user.note") && rules.keep(b"security.capability"));
        assert!(rules.keep(b"system.posix_acl_access"));
        assert!(!rules.keep(b"security.selinux"));
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let rules = rules(&["user.*", "!user.secret*", "security.selinux"]);
        assert!(rules.keep(b"user.note") && rules.keep(b"security.selinux"));
        assert!(!rules.keep(b"user.secret1") && !rules.keep(b"security.capability"));
    }

    #[test]
    fn rules_that_only_leave_out_keep_the_rest() {
        let rules = rules(&["!user.*"]);
        assert!(rules.keep(b"security.capability"));
        assert!(!rules.keep(b"user.note") && !rules.keep(b"security.selinux"));
    }
}
