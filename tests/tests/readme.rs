//! README.md: every fenced block marked `sh run` is run, in order, in one session,
//! and what it says after `#=>` is printed in that order.
//!
//! `needs=PROGRAM` in the mark names a peer; the block is skipped loudly without it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fs;

use layerutils_tests::requirement::{Requirement, skip};
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::{fixture, require, stand_in};

/// A block, with where and what it needs.
struct Recipe {
    line: usize,
    peer: Option<&'static str>,
    script: String,
    printed: Vec<String>,
}

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap()
}

fn recipes(text: &str) -> Vec<Recipe> {
    let mut recipes = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(mark) = line.strip_prefix("```sh run") else { continue };
        let peer = match mark.trim() {
            "" => None,
            "needs=skopeo" => Some("skopeo"),
            mark => panic!("README.md:{}: unknown mark {mark:?}", number + 1),
        };
        let mut recipe =
            Recipe { line: number + 1, peer, script: String::new(), printed: Vec::new() };
        for (_, line) in lines.by_ref().take_while(|(_, line)| *line != "```") {
            match line.strip_prefix("#=> ") {
                Some(text) => recipe.printed.push(text.to_owned()),
                None => recipe.script.push_str(&format!("{line}\n")),
            }
        }
        recipes.push(recipe);
    }
    recipes
}

fn run_all(sandbox: &Sandbox) {
    fixture::make(sandbox);
    fs::remove_dir_all(sandbox.store()).unwrap();
    let _ =
        sandbox.sh("mv a old; mv b new; mv root rootfs; rm -r endless context-endless").succeeds();
    stand_in::ssh(sandbox);
    for recipe in recipes(&readme()) {
        let Recipe { line, peer, script, printed } = recipe;
        if let Some(Err(reason)) = peer.map(|program| Requirement::Peer(program).check()) {
            skip(&format!(" (README.md:{line})"), &reason);
            continue;
        }
        let store = sandbox.store();
        let store = store.to_str().unwrap();
        let outcome =
            sandbox.sh(&format!("set -eu; LAYERUTILS_STORE='{store}'\n{script}")).outcome();
        assert!(outcome.status == 0, "README.md:{line}\n{outcome}");
        let mut rest = outcome.text();
        for text in printed {
            let found = rest.find(&text);
            let at = found.unwrap_or_else(|| panic!("README.md:{line}: no {text:?}\n{outcome}"));
            rest = &rest[at + text.len()..];
        }
    }
}

#[test]
fn the_cookbook_has_ten_recipes_and_more() {
    assert!(recipes(&readme()).len() > 10);
}

#[test]
fn the_cookbook_works_as_whoever_runs_the_tests() {
    require!(Peer("busybox"), Peer("xz"), UserNamespace);
    run_all(&Sandbox::new());
}

#[test]
fn the_cookbook_works_for_an_ordinary_user() {
    require!(Peer("busybox"), Peer("xz"), UserNamespace);
    run_all(&Sandbox::ordinary());
}
