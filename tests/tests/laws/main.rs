//! The laws of the layer algebra, on generated trees and on a real file system,
//! as whoever runs the tests and as an ordinary user.
//!
//! `LAYERUTILS_TEST_CASES` says how many trees each law is tried on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod images;
mod stacks;

use std::cell::Cell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::PathBuf;
use std::sync::Once;

use layerutils_tests::fixture::image;
use layerutils_tests::requirement::is_root;
use layerutils_tests::run::Run;
use layerutils_tests::sandbox::{Sandbox, User, ordinary_user};
use layerutils_tests::tree::strategy::{Scope, tree};
use layerutils_tests::tree::{Tree, assert_same, change, dump, read, write};
use layerutils_tests::{require, tool};
use proptest::prelude::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

thread_local! {
    static TRYING: Cell<bool> = const { Cell::new(false) };
}

/// Tries `law` on generated values in a sandbox that is emptied in between.
fn for_all<S: Strategy>(strategy: S, sandbox: &Sandbox, law: impl Fn(S::Value)) {
    quieten();
    let cases = std::env::var("LAYERUTILS_TEST_CASES");
    let cases = cases.ok().and_then(|cases| cases.parse().ok()).unwrap_or(100);
    // The same trees in every run, unless PROPTEST_RNG_SEED asks for others.
    let rng_seed = match Config::default().rng_seed {
        RngSeed::Random => RngSeed::Fixed(0),
        asked => asked,
    };
    let config = Config {
        cases,
        rng_seed,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&strategy, |value| {
        empty(sandbox);
        TRYING.set(true);
        let outcome = catch_unwind(AssertUnwindSafe(|| law(value)));
        TRYING.set(false);
        outcome.map_err(|panic| {
            let text = panic.downcast::<String>().map_or_else(|_| "?".into(), |text| *text);
            TestCaseError::fail(text)
        })
    });
    match outcome {
        Ok(()) => {}
        // How, and the least value that fails.
        Err(TestError::Fail(reason, value)) => panic!("{reason}\n{value:?}"),
        Err(error) => panic!("{error}"),
    }
}

/// A failed try is not worth a message: the least one of many is.
fn quieten() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if !TRYING.get() {
                usual(panic);
            }
        }));
    });
}

fn empty(sandbox: &Sandbox) {
    for entry in fs::read_dir(sandbox.work()).unwrap() {
        let path = entry.unwrap().path();
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.unwrap();
    }
    let _ = fs::remove_dir_all(sandbox.store());
}

/// Puts `tree` in the work folder.
fn put(sandbox: &Sandbox, name: &str, tree: &Tree) -> PathBuf {
    let path = sandbox.path(name);
    write(tree, &path);
    path
}

/// Runs `check` as whoever runs the tests and, where that is root, as an ordinary
/// user as well.
fn as_everybody(check: impl Fn(&Sandbox, Scope)) {
    if is_root() {
        check(&Sandbox::in_memory(User::current()), Scope::Root);
    }
    check(&Sandbox::in_memory(ordinary_user()), Scope::User(ordinary_user()));
}

/// Runs layer-apply. It tells an ordinary user that set-id bits are recorded only.
fn applied(run: Run, scope: Scope) {
    let mut outcome = run.outcome();
    let told = b"layer-apply: warning: set-id bits of ";
    let is_one_line = outcome.stderr.iter().filter(|byte| **byte == b'\n').count() == 1;
    if scope != Scope::Root && outcome.stderr.starts_with(told) && is_one_line {
        outcome.stderr.clear();
    }
    let _ = outcome.succeeded();
}

/// An end-of-archive marker and nothing before it.
fn is_empty_archive(bytes: &[u8]) -> bool {
    bytes.len() >= 1024 && bytes.iter().all(|byte| *byte == 0)
}

#[test]
fn law_1_a_difference_applied_gives_the_other_tree() {
    as_everybody(|sandbox, scope| {
        for_all(change::pair(scope, 24), sandbox, |(before, after)| {
            put(sandbox, "a", &before);
            let b = put(sandbox, "b", &after);
            let copy = put(sandbox, "copy", &before);
            let layer = sandbox.words("layer-diff a b").succeeds().stdout;
            applied(sandbox.words("layer-apply copy").input(layer), scope);
            assert_same(&b, &copy);
        });
    });
}

#[test]
fn law_1_a_whole_tree_as_a_layer_gives_the_tree() {
    as_everybody(|sandbox, scope| {
        for_all(tree(scope, 24), sandbox, |given| {
            let a = put(sandbox, "a", &given);
            let layer = sandbox.words("layer-diff a").succeeds().stdout;
            applied(sandbox.words("layer-apply copy").input(layer), scope);
            assert_same(&a, &sandbox.path("copy"));
        });
    });
}

#[test]
fn law_2_equal_trees_have_no_difference() {
    as_everybody(|sandbox, scope| {
        for_all(tree(scope, 16), sandbox, |given| {
            put(sandbox, "a", &given);
            put(sandbox, "same", &given);
            for other in ["a", "same"] {
                let layer = sandbox.words(&format!("layer-diff a {other}")).succeeds().stdout;
                assert!(is_empty_archive(&layer), "{other}: {}", layer.escape_ascii());
            }
        });
    });
}

#[test]
fn law_2_the_same_trees_give_the_same_bytes() {
    as_everybody(|sandbox, scope| {
        for_all(change::pair(scope, 16), sandbox, |(before, after)| {
            put(sandbox, "a", &before);
            put(sandbox, "b", &after);
            let first = sandbox.words("layer-diff a b").succeeds().stdout;
            // Other inodes, another order of creation, another time of reading.
            put(sandbox, "b2", &after);
            put(sandbox, "a2", &before);
            let second = sandbox.words("layer-diff a2 b2").succeeds().stdout;
            assert!(first == second, "{}", String::from_utf8_lossy(&list(sandbox, &second)));
        });
    });
}

fn list(sandbox: &Sandbox, layer: &[u8]) -> Vec<u8> {
    sandbox.words("tar -tvf -").input(layer).outcome().stdout
}

#[test]
fn law_3_merged_layers_are_layers_in_turn() {
    if tool::find("layer-merge").is_none() {
        return layerutils_tests::requirement::skip("", "there is no layer-merge");
    }
    as_everybody(|sandbox, scope| {
        for_all(change::series(scope, 16, 3), sandbox, |trees| {
            let names = layers(sandbox, &trees);
            let _ = sandbox.words(&format!("layer-apply turn {}", names.join(" "))).outcome();
            let merged = sandbox.words(&format!("layer-merge {}", names.join(" "))).succeeds();
            let _ = sandbox.words("layer-apply merged").input(merged.stdout).outcome();
            assert_same(&sandbox.path("turn"), &sandbox.path("merged"));
        });
    });
}

/// The layers that lead to each tree from the one before, as files.
fn layers(sandbox: &Sandbox, trees: &[Tree]) -> Vec<String> {
    let mut names = Vec::new();
    for (index, tree) in trees.iter().enumerate() {
        put(sandbox, &format!("t{index}"), tree);
        let lower = index.checked_sub(1).map(|lower| format!("t{lower}")).unwrap_or_default();
        let line = format!("layer-diff -o l{index} {lower} t{index}");
        let _ = sandbox.words(&line).succeeds();
        names.push(format!("l{index}"));
    }
    names
}

#[test]
fn law_4_an_applied_image_is_a_mounted_image() {
    require!(UserNamespace);
    let dump_tool = std::env::var_os("LAYERUTILS_TREE_DUMP");
    let dump_tool = dump_tool.unwrap_or_else(|| env!("CARGO_BIN_EXE_tree-dump").into());
    as_everybody(|sandbox, scope| {
        let namespace = match scope {
            Scope::Root => "unshare --mount",
            // The user's own mounts are seen in a namespace of the user's own.
            Scope::User(_) => "unshare --user --map-current-user --keep-caps --mount",
        };
        let reachable = sandbox.path("../tree-dump");
        fs::copy(&dump_tool, &reachable).unwrap();
        for_all(change::series(scope, 16, 2), sandbox, |trees| {
            let layers: Vec<_> = layers(sandbox, &trees)
                .iter()
                .map(|name| image::Layer::plain(fs::read(sandbox.path(name)).unwrap()))
                .collect();
            image::put(&sandbox.store(), "stack:latest", &layers, &image::config());
            if sandbox.user() != User::current() {
                let owner = format!("{}:{}", sandbox.user().uid, sandbox.user().gid);
                let store = sandbox.store();
                let root = Sandbox::new();
                let chown = root.run(&["chown", "-R", &owner, store.to_str().unwrap()]);
                let _ = chown.succeeds();
            }
            applied(sandbox.words("layer-apply --image stack applied"), scope);
            let expected =
                dump::dump(&read(&sandbox.path(format!("t{}", trees.len() - 1))).unwrap());
            let applied = dump::dump(&read(&sandbox.path("applied")).unwrap());
            let difference = dump::difference(&expected, &applied);
            assert!(difference.is_empty(), "applied (+):\n{difference}");
            let script = format!(
                "mkdir mounted && {namespace} sh -c 'union-mount --image stack mounted && \
                 ../tree-dump mounted && union-mount --unmount mounted'"
            );
            let mounted = sandbox.sh(&script).succeeds();
            let difference = dump::difference(&expected, mounted.text());
            assert!(difference.is_empty(), "mounted (+):\n{difference}");
        });
    });
}
