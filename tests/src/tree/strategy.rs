//! Trees out of nothing: every file type, and names, times, owners, modes and
//! extended attributes from the corners of their ranges.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};

use super::model::{Attributes, Kind, Node, Tree, join};
use crate::sandbox::User;

/// Who must be able to write the tree, and to read it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Root: any owner, devices, `security.*` and `trusted.*`.
    Root,
    /// This user: what is theirs, and readable to them.
    User(User),
}

/// A tree of up to `size` names.
pub fn tree(scope: Scope, size: usize) -> impl Strategy<Value = Tree> {
    let root = attributes(scope).prop_map(move |mut attributes| {
        attributes.fit(scope, &Kind::Directory);
        Tree::new(attributes)
    });
    (root, vec(seed(scope), 0..=size)).prop_map(move |(mut tree, seeds)| {
        for seed in seeds {
            seed.plant(scope, &mut tree);
        }
        tree
    })
}

/// A name that waits for a tree to be put in.
#[derive(Debug, Clone)]
pub struct Seed {
    parent: Index,
    name: Vec<u8>,
    kind: KindSeed,
    attributes: Attributes,
}

#[derive(Debug, Clone)]
enum KindSeed {
    Is(Kind),
    LinkTo(Index),
}

/// A name with all it carries.
pub fn seed(scope: Scope) -> impl Strategy<Value = Seed> {
    (any::<Index>(), name(), kind(scope), attributes(scope))
        .prop_map(|(parent, name, kind, attributes)| Seed { parent, name, kind, attributes })
}

impl Seed {
    /// Puts it in one of the directories of `tree`, unless its name is taken there.
    pub fn plant(self, scope: Scope, tree: &mut Tree) {
        let mut folders = Vec::new();
        let mut targets = Vec::new();
        for (path, node) in &tree.nodes {
            match node.kind {
                Kind::Directory => folders.push(path.clone()),
                Kind::Link(_) => {}
                _ => targets.push(path.clone()),
            }
        }
        let path = join(&folders[self.parent.index(folders.len())], &self.name);
        let mut node = Node { kind: Kind::Fifo, attributes: self.attributes };
        match self.kind {
            KindSeed::Is(kind) => {
                node.kind = kind;
                node.attributes.fit(scope, &node.kind);
            }
            KindSeed::LinkTo(_) if targets.is_empty() => return,
            KindSeed::LinkTo(index) => {
                let first = &targets[index.index(targets.len())];
                node.attributes = tree.nodes[first].attributes.clone();
                node.kind = Kind::Link(first.clone());
            }
        }
        tree.nodes.entry(path).or_insert(node);
    }
}

impl Attributes {
    /// Takes away what an inode of this kind cannot have, or `scope` cannot give.
    pub(super) fn fit(&mut self, scope: Scope, kind: &Kind) {
        let regular = matches!(kind, Kind::File(_));
        let directory = matches!(kind, Kind::Directory);
        if matches!(kind, Kind::Symlink(_)) {
            self.mode = 0o777;
        }
        if let Scope::User(user) = scope {
            (self.uid, self.gid) = (user.uid, user.gid);
            self.mode |= if directory { 0o700 } else { 0o400 };
        }
        let symlink = matches!(kind, Kind::Symlink(_));
        let mode = self.mode;
        self.xattrs.retain(|name, _| match name.as_slice() {
            b"security.capability" => regular && scope == Scope::Root,
            name if name.starts_with(b"trusted.") => scope == Scope::Root,
            name if name.starts_with(b"user.") => regular || directory,
            b"system.posix_acl_access" => !symlink,
            b"system.posix_acl_default" => directory,
            _ => false,
        });
        // A user namespace may have no id but the user's own.
        let named = match scope {
            Scope::Root => 12_345,
            Scope::User(user) => user.uid,
        };
        for (name, value) in &mut self.xattrs {
            match name.as_slice() {
                b"system.posix_acl_access" => *value = acl(mode, named),
                b"system.posix_acl_default" => *value = acl(0o750, named),
                _ => {}
            }
        }
    }
}

/// An access list that agrees with `mode`, with one user more
/// (`linux/posix_acl_xattr.h`: version 2, entries of tag, permissions, id).
fn acl(mode: u32, named: u32) -> Vec<u8> {
    let entries = [
        (0x01_u16, mode >> 6 & 7, u32::MAX), // the owner
        (0x02, 5, named),                    // a named user
        (0x04, 4, u32::MAX),                 // the group
        (0x10, mode >> 3 & 7, u32::MAX),     // the mask, which the mode shows
        (0x20, mode & 7, u32::MAX),          // others
    ];
    let mut value = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        value.extend(tag.to_le_bytes());
        value.extend(u16::try_from(permissions).unwrap_or(7).to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}

/// A name that a layer can hold: anything but `/`, NUL, `.`, `..`, `.wh.*`.
pub fn name() -> impl Strategy<Value = Vec<u8>> {
    let odd: Vec<Vec<u8>> = vec![
        b"new\nline".to_vec(),
        b"not utf-8 \xff\xfe".to_vec(),
        b"\x1b]52;c;aGk=\x07".to_vec(),
        b"-rf".to_vec(),
        b"--help".to_vec(),
        b" ".to_vec(),
        b"...".to_vec(),
        b".whx".to_vec(),
        b"x.wh.y".to_vec(),
        b"back\\slash\\n".to_vec(),
        b"10 path=x\n".to_vec(),
        b"*?[a]".to_vec(),
        "\u{e9}\u{202e}".as_bytes().to_vec(),
        vec![b'L'; 255],
        vec![0xff; 255],
        [b"long ".to_vec(), vec![b'x'; 95]].concat(),
    ];
    // Few letters, so that names are often taken: what is below grows deep.
    let short = vec(select(&b"abcAB-_."[..]), 1..4)
        .prop_filter("is a directory itself", |name| name != b"." && name != b"..");
    prop_oneof![6 => short, 3 => select(odd)]
}

fn kind(scope: Scope) -> impl Strategy<Value = KindSeed> {
    let is = |kind: Kind| Just(KindSeed::Is(kind));
    let file = content().prop_map(|content| KindSeed::Is(Kind::File(content)));
    let target = prop_oneof![
        select(vec![b"a".to_vec(), b"../b".to_vec(), b"/etc/passwd".to_vec(), b"/".to_vec()]),
        name(),
        Just(vec![b't'; 300]),
    ];
    let symlink = target.prop_map(|target| KindSeed::Is(Kind::Symlink(target)));
    let link = any::<Index>().prop_map(KindSeed::LinkTo);
    let devices = vec![
        Kind::Character(1, 3),
        Kind::Character(4095, 1_048_575),
        Kind::Character(0, 1),
        Kind::Block(7, 0),
        Kind::Block(259, 300),
    ];
    let device = select(devices).prop_map(KindSeed::Is);
    let devices = u32::from(scope == Scope::Root);
    prop_oneof![
        6 => file,
        5 => is(Kind::Directory),
        3 => symlink,
        3 => link,
        1 => is(Kind::Fifo),
        devices => device,
    ]
}

/// Contents around the sizes of tar's blocks and of holes.
pub fn content() -> impl Strategy<Value = Vec<u8>> {
    let sized = |len: usize| (any::<u8>(), Just(len)).prop_map(|(byte, len)| vec![byte; len]);
    let holed = (any::<u8>(), 1_usize..5).prop_map(|(byte, blocks)| {
        let hole = vec![0; 4096 * blocks];
        [vec![byte; 4096], hole.clone(), vec![byte; 100], hole].concat()
    });
    prop_oneof![
        4 => vec(any::<u8>(), 0..8),
        1 => select(vec![511, 512, 513, 4096, 10_241, 70_000]).prop_flat_map(sized),
        1 => holed,
    ]
}

/// Attributes before they are made to fit a kind.
pub fn attributes(scope: Scope) -> impl Strategy<Value = Attributes> {
    let owner = match scope {
        Scope::Root => select(vec![0_u32, 1, 1000, 65_534, 2_097_152, 4_294_967_294]),
        Scope::User(user) => select(vec![user.uid]),
    };
    let mode = prop_oneof![
        3 => select(vec![0o644_u32, 0o755, 0o600, 0o1777, 0o4755, 0o2755, 0o6711, 0o000, 0o444]),
        1 => 0_u32..=0o7777,
    ];
    // What ext4 can hold, which is the narrowest of today's file systems.
    let seconds = prop_oneof![
        2 => 1_600_000_000_i64..1_700_000_000,
        1 => select(vec![0, 1, -1, -1_000_000_000, 2_147_483_648, 8_589_934_592, 15_000_000_000]),
    ];
    let nanoseconds = prop_oneof![
        2 => Just(0_u32),
        2 => 0_u32..1_000_000_000,
        1 => select(vec![1, 10, 500_000_000, 999_999_999]),
    ];
    (mode, owner.clone(), owner, seconds, nanoseconds, xattrs()).prop_map(
        |(mode, uid, gid, seconds, nanoseconds, xattrs)| Attributes {
            mode,
            uid,
            gid,
            seconds,
            nanoseconds,
            xattrs,
        },
    )
}

fn xattrs() -> impl Strategy<Value = BTreeMap<Vec<u8>, Vec<u8>>> {
    let value = prop_oneof![
        select(vec![b"x".to_vec(), b"\n22 linkpath=/etc/evil\n".to_vec(), b"\0\xff\n=".to_vec()]),
        vec(any::<u8>(), 1..40),
    ];
    let names = vec!["user.a", "user.with=equals", "user.\u{e9} b%", "trusted.note"];
    let plain = (select(names), value).prop_map(|(name, value)| (name.as_bytes().to_vec(), value));
    // Revision 2, effective; permitted: DAC_OVERRIDE and FOWNER, whose mask is a
    // newline, or NET_RAW (`linux/capability.h`).
    let capability = select(vec![[0x0a_u8, 0], [0, 0x20]]).prop_map(|[low, high]| {
        let head = [1, 0, 0, 2, low, high];
        (b"security.capability".to_vec(), [&head[..], &[0; 14]].concat())
    });
    // Their values are made to fit: see `Attributes::fit`.
    let list = Just((b"system.posix_acl_access".to_vec(), Vec::new()));
    let inherited = Just((b"system.posix_acl_default".to_vec(), Vec::new()));
    let one = prop_oneof![4 => plain, 2 => capability, 1 => list, 1 => inherited];
    option::weighted(0.3, vec(one, 1..3)).prop_map(|found| found.into_iter().flatten().collect())
}
