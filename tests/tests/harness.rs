//! The harness itself: what judges the tools must be right first.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use layerutils_tests::requirement::is_root;
use layerutils_tests::sandbox::{Sandbox, User};
use layerutils_tests::tree::strategy::{Scope, tree};
use layerutils_tests::tree::{change, dump, read, write};
use proptest::test_runner::{Config, TestRunner};

fn scope() -> Scope {
    if is_root() { Scope::Root } else { Scope::User(User::current()) }
}

fn cases(count: u32) -> TestRunner {
    TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(count) })
}

#[test]
fn a_tree_reads_back_as_it_was_written() {
    let sandbox = Sandbox::new();
    let check = |given: layerutils_tests::tree::Tree| {
        let root = tempfile::tempdir_in(sandbox.work()).unwrap();
        write(&given, root.path());
        let back = read(root.path()).unwrap();
        let difference = dump::difference(&dump::dump(&given.normalised()), &dump::dump(&back));
        assert!(difference.is_empty(), "{difference}");
        Ok(())
    };
    cases(64).run(&tree(scope(), 24), check).unwrap();
}

#[test]
fn changes_happen() {
    let mut differing = 0;
    let count = std::cell::RefCell::new(&mut differing);
    let check = |(before, after): (layerutils_tests::tree::Tree, layerutils_tests::tree::Tree)| {
        **count.borrow_mut() += u32::from(before != after);
        Ok(())
    };
    cases(64).run(&change::pair(scope(), 16), check).unwrap();
    assert!(differing > 32, "only {differing} of 64 pairs differ");
}

#[test]
fn every_attribute_is_compared() {
    let sandbox = Sandbox::new();
    let script = "mkdir a b; for t in a b; do echo x > $t/f; ln $t/f $t/g; ln -s f $t/s; \
                  touch -h -d @1.5 $t/s $t/f $t; done";
    let _ = sandbox.sh(script).succeeds();
    let dumped = |name: &str| dump::dump(&read(&sandbox.path(name)).unwrap());
    assert_eq!(dump::difference(&dumped("a"), &dumped("b")), "");
    let changes = [
        "echo y > b/f; touch -d @1.5 b/f",
        "touch -d @1.500000001 b/f",
        "chmod 600 b/f",
        "rm b/g; cp -p b/f b/g",
        "ln -sfn g b/s; touch -h -d @1.5 b/s",
        "touch -h -d @2.5 b/s",
        "setfattr -n user.x -v y b/f || chmod 601 b/f",
        "rm b/g",
        "mkdir b/d",
    ];
    for change in changes {
        let restore = "rm -rf b; cp -a a b";
        let _ = sandbox.sh(&format!("{restore}; {change}; touch -d @1.5 b")).outcome();
        assert_ne!(dump::difference(&dumped("a"), &dumped("b")), "", "{change}");
    }
}
