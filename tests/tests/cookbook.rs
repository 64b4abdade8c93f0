//! README's cookbook: its blocks, one after the other in one folder, as whoever
//! runs the tests and as an ordinary user.
//!
//! A block that begins with ```` ```sh run ```` is run, unless it `needs=PROGRAM` that is
//! not there. What comes after `#=>` must be printed, in this order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use layerutils_tests::requirement::{Requirement, skip};
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tool::is_step;
use layerutils_tests::{fixture, require, stand_in};

const README: &str = include_str!("../../README.md");

/// A block.
struct Recipe {
    /// Where in README.md it begins.
    line: usize,
    needs: Option<&'static str>,
    script: String,
    prints: Vec<String>,
}

fn recipes() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    let mut lines = README.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(mark) = line.strip_prefix("```sh run") else { continue };
        let line = number + 1;
        let needs = mark.strip_prefix(" needs=");
        assert!(mark.is_empty() || needs.is_some(), "README.md:{line}: {mark:?}");
        let block = lines.by_ref().map(|(_, line)| line);
        let block: Vec<&str> = block.take_while(|line| *line != "```").collect();
        let (prints, commands): (Vec<&str>, Vec<&str>) =
            block.into_iter().partition(|line| line.starts_with("#=>"));
        recipes.push(Recipe {
            line,
            needs,
            script: commands.join("\n"),
            prints: prints.iter().map(|line| line[3..].trim().to_owned()).collect(),
        });
    }
    recipes
}

fn cook(sandbox: &Sandbox) {
    fixture::make(sandbox);
    let setup = "mv a old; mv b new; mv root rootfs; rm -r endless context* layer* sink* \
                 \"$LAYERUTILS_STORE\"";
    let _ = sandbox.sh(setup).succeeds();
    stand_in::ssh(sandbox);
    for recipe in recipes() {
        if let Some(Err(reason)) = recipe.needs.map(|program| Requirement::Peer(program).check()) {
            skip(&format!(" (README.md:{})", recipe.line), &reason);
            continue;
        }
        let at = format!("README.md:{}", recipe.line);
        let outcome = sandbox.sh(&format!("set -eu\n{}", recipe.script)).outcome();
        assert_eq!(outcome.status, 0, "{at}\n{outcome}");
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        assert!(stderr.lines().all(is_step), "{at}\n{outcome}");
        let mut rest = outcome.text();
        for expected in &recipe.prints {
            let found = rest.find(expected.as_str());
            let place = found.unwrap_or_else(|| panic!("{at}: no {expected:?}\n{outcome}"));
            rest = &rest[place + expected.len()..];
        }
    }
}

#[test]
fn the_readme_has_ten_recipes_and_one_command_for_the_tests() {
    assert!(recipes().len() >= 10);
    assert!(README.contains("\ncargo test --workspace "));
}

#[test]
fn the_cookbook_works_as_whoever_runs_the_tests() {
    require!(Peer("busybox"), Peer("xz"), UserNamespace);
    cook(&Sandbox::new());
}

#[test]
fn the_cookbook_works_for_an_ordinary_user() {
    require!(Peer("busybox"), Peer("xz"), UserNamespace);
    cook(&Sandbox::ordinary());
}
