use std::fs;
use std::os::unix::fs::symlink;

use super::super::Ahead;
use super::{DirId, MAX_OPEN, Root, Tree, Walk};

fn walk(tree: &mut Tree<'_>, path: &str) -> Walk {
    let names = crate::root::split(path.as_bytes()).unwrap();
    tree.walk(DirId::ROOT, &mut Ahead::of(&names)).unwrap()
}

fn roots(top: &std::path::Path) -> [Root; 2] {
    [Root::open(top).unwrap(), Root::open(top).unwrap().without_openat2()]
}

#[test]
fn a_walk_ends_at_real_directories() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("root");
    fs::create_dir_all(top.join("usr/lib/deep")).unwrap();
    fs::create_dir(folder.path().join("outside")).unwrap();
    fs::write(top.join("usr/file"), "").unwrap();
    symlink("/usr/lib", top.join("lib")).unwrap();
    symlink("../../outside", top.join("usr/out")).unwrap();
    symlink("/nowhere/at/all", top.join("dangling")).unwrap();
    for root in roots(&top) {
        let tree = &mut Tree::new(&root);
        let Walk::Found(deep) = walk(tree, "lib/deep") else { panic!() };
        assert_eq!(tree.path(deep), b"usr/lib/deep");
        assert_eq!(walk(tree, "usr/lib/deep"), Walk::Found(deep));
        let at = tree.child(DirId::ROOT, b"usr").unwrap();
        assert_eq!(walk(tree, "usr/file/x"), Walk::Blocked { at, name: b"file".into() });
        // `..` stops at the root, where nothing is called outside.
        let missing = Walk::Missing { at: DirId::ROOT, name: b"outside".into() };
        assert_eq!(walk(tree, "usr/out/x"), missing);
        let missing = Walk::Missing { at: DirId::ROOT, name: b"nowhere".into() };
        assert_eq!(walk(tree, "dangling/x"), missing);
    }
}

#[test]
fn a_loop_of_links_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    symlink("b", folder.path().join("a")).unwrap();
    symlink("a", folder.path().join("b")).unwrap();
    for root in roots(folder.path()) {
        let mut ahead = Ahead::of(&[b"a", b"x"]);
        let outcome = Tree::new(&root).walk(DirId::ROOT, &mut ahead);
        assert_eq!(outcome, Err(rustix::io::Errno::LOOP));
    }
}

#[test]
fn closed_descriptors_are_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..3 * MAX_OPEN {
        fs::create_dir_all(folder.path().join(format!("{number}/a/b"))).unwrap();
    }
    for root in roots(folder.path()) {
        let tree = &mut Tree::new(&root);
        let ids: Vec<_> = (0..3 * MAX_OPEN)
            .map(|number| match walk(tree, &format!("{number}/a/b")) {
                Walk::Found(id) => (number, id),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(tree.open.len() <= MAX_OPEN);
        for (number, id) in ids {
            let stat = rustix::fs::fstat(tree.fd(id).unwrap()).unwrap();
            let path = folder.path().join(format!("{number}/a/b"));
            assert_eq!(stat.st_ino, rustix::fs::lstat(path).unwrap().st_ino);
        }
    }
}

#[test]
fn a_forgotten_directory_is_looked_up_anew() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    let root = Root::open(folder.path()).unwrap();
    let tree = &mut Tree::new(&root);
    let Walk::Found(before) = walk(tree, "a/b") else { panic!() };
    fs::rename(folder.path().join("a"), folder.path().join("z")).unwrap();
    symlink("z", folder.path().join("a")).unwrap();
    tree.forget(DirId::ROOT, b"a");
    let Walk::Found(after) = walk(tree, "a/b") else { panic!() };
    assert_ne!(before, after);
    assert_eq!(tree.path(after), b"z/b");
}
