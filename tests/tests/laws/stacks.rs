//! Law 7: a stack of layers has one meaning. What `layer-apply`, `layer-merge`,
//! `union-mount` and `COPY --from` make of it is the same, or they all refuse it in the
//! same words: on layers of whatever members, and on those that they once understood
//! differently.

use std::collections::BTreeMap;
use std::fs;

use common::tar::{Entry, Kind, Writer, Xattrs};
use common::time::Timestamp;
use layerutils_tests::fixture::image;
use layerutils_tests::require;
use layerutils_tests::run::Outcome;
use layerutils_tests::sandbox::{Sandbox, User};
use layerutils_tests::tree::{dump, read};
use proptest::prelude::*;

use super::{empty, for_all};

#[path = "../../../tools/layer-merge/tests/odd/generate.rs"]
mod generate;

/// The members of a layer, with their contents.
type Members = Vec<(Entry, Vec<u8>)>;

/// What a tool makes of a stack: the tree as text, or why there is none.
type Meaning = Result<String, String>;

fn written(members: &Members) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, content) in members {
        writer.append(entry, content.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

/// What is wrong, without the tool's name and the layer's.
fn refusal(outcome: &Outcome) -> String {
    let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let label = |word: &str| {
        let is_digest = word.len() == "sha256:".len() + 64 && word.starts_with("sha256:");
        is_digest || word.strip_prefix('l').is_some_and(|rest| rest.parse::<usize>().is_ok())
    };
    let parts: Vec<_> = text.trim_end().split(": ").collect();
    let named = parts.iter().position(|part| part.split(' ').any(label));
    parts.get(named.map_or(0, |at| at + 1)..).unwrap_or_default().join(": ")
}

fn apply_image(sandbox: &Sandbox, image: &str, to: &str) -> Meaning {
    let outcome = sandbox.words(&format!("layer-apply --image {image} {to}")).outcome();
    if outcome.status != 0 {
        return Err(refusal(&outcome));
    }
    Ok(dump::dump(&read(&sandbox.path(to)).unwrap()))
}

fn merge(sandbox: &Sandbox, names: &[String]) -> Meaning {
    let merged = sandbox.words(&format!("layer-merge -o merged.tar {}", names.join(" "))).outcome();
    if merged.status != 0 {
        return Err(refusal(&merged));
    }
    let applied = sandbox.words("layer-apply merged merged.tar").outcome();
    if applied.status != 0 {
        return Err(String::new());
    }
    Ok(dump::dump(&read(&sandbox.path("merged")).unwrap()))
}

fn copy(sandbox: &Sandbox) -> Meaning {
    let file = "FROM scratch\nCOPY --from=stack / /\n";
    let built = sandbox.words("img-build --no-cache -t copy -").input(file).outcome();
    if built.status != 0 {
        return Err(refusal(&built));
    }
    apply_image(sandbox, "copy", "copied")
}

fn mount(sandbox: &Sandbox) -> Meaning {
    let script = "mkdir mounted && unshare --mount sh -c 'union-mount --image stack mounted && \
                  ../tree-dump mounted && union-mount --unmount mounted'";
    let outcome = sandbox.sh(script).outcome();
    if outcome.status != 0 {
        return Err(refusal(&outcome));
    }
    Ok(outcome.text().to_owned())
}

/// A tree as text without its root, of which layers need not speak, and which COPY
/// leaves alone.
fn below_the_root(meaning: &Meaning) -> Meaning {
    let dump = meaning.as_ref().map_err(Clone::clone)?;
    Ok(dump
        .lines()
        .filter(|line| !line.starts_with("./ "))
        .map(|line| format!("{line}\n"))
        .collect())
}

/// The same with files of their own in the place of hard links: a mount cannot link to
/// what a lower layer has, and copies it.
fn without_links(meaning: &Meaning) -> Meaning {
    let dump = meaning.as_ref().map_err(Clone::clone)?;
    let lines: BTreeMap<_, _> = dump.lines().filter_map(|line| line.split_once(' ')).collect();
    let is = |name: &str, what: &str| format!("{name} {what}\n");
    let plain = |(name, what): (&&str, &&str)| match what.strip_prefix("same inode as ") {
        Some(first) => is(name, lines[first]),
        None => is(name, what),
    };
    Ok(lines.iter().map(plain).collect())
}

fn assert_same(tool: &str, actual: &Meaning, expected: &Meaning) {
    match (expected, actual) {
        (Ok(expected), Ok(actual)) => {
            let difference = dump::difference(expected, actual);
            assert!(difference.is_empty(), "{tool} (+):\n{difference}");
        }
        _ => assert_eq!(actual, expected, "{tool}"),
    }
}

/// What all tools make of the stack.
///
/// # Panics
/// If they do not agree.
fn meaning(sandbox: &Sandbox, layers: &[Members]) -> Meaning {
    // A root that no layer describes is as whoever made the directory left it.
    let root = vec![member("./", &Kind::Directory)];
    let layers: Vec<_> = [&root].into_iter().chain(layers).map(written).collect();
    let names: Vec<_> = (0..layers.len()).map(|number| format!("l{number}")).collect();
    for (name, layer) in names.iter().zip(&layers) {
        sandbox.write(name, layer);
    }
    let blobs: Vec<_> = layers.into_iter().map(image::Layer::plain).collect();
    image::put(&sandbox.store(), "stack:latest", &blobs, &image::config());
    let expected = apply_image(sandbox, "stack", "applied");
    assert_same("COPY --from", &below_the_root(&copy(sandbox)), &below_the_root(&expected));
    assert_same("union-mount", &without_links(&mount(sandbox)), &without_links(&expected));
    match (merge(sandbox, &names), &expected) {
        // Below a part of a stack there may be more: what it lacks shows when the merged
        // layer is applied, or never, if a later layer has replaced it, or once another
        // member has been refused.
        (Err(why), Err(_)) if why.is_empty() || why.ends_with("one layer cannot say this") => {}
        (_, Err(why)) if depends_on_what_is_below(why) => {}
        (merged, expected) => assert_same("layer-merge", &merged, expected),
    }
    expected
}

fn depends_on_what_is_below(why: &str) -> bool {
    why.ends_with("which does not exist")
        || why.ends_with("which is a directory")
        || why.ends_with("a symbolic link leads out of a directory that does not exist")
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::in_memory(User::current());
    let dump_tool = std::env::var_os("LAYERUTILS_TREE_DUMP");
    let dump_tool = dump_tool.unwrap_or_else(|| env!("CARGO_BIN_EXE_tree-dump").into());
    fs::copy(dump_tool, sandbox.path("../tree-dump")).unwrap();
    sandbox
}

#[test]
fn law_7_all_tools_agree_on_layers_of_whatever_members() {
    require!(Root, UserNamespace);
    let sandbox = sandbox();
    let stacks = prop::collection::vec(generate::members(), 1..4);
    for_all(stacks, &sandbox, |layers| {
        let _ = meaning(&sandbox, &layers);
    });
}

#[test]
fn law_7_all_tools_agree_on_what_they_once_understood_differently() {
    require!(Root, UserNamespace);
    let (file, directory) = (|| Kind::File, || Kind::Directory);
    let link = |target: &str| Kind::HardLink { target: target.into() };
    let symlink = |target: &str| Kind::Symlink { target: target.into() };
    let stored = ".wh..wh.plnk/1.2";
    let sandbox = sandbox();
    for (layers, expected) in [
        // A whiteout that is reached through a link of its own layer.
        (
            vec![
                vec![("run/token", file()), ("var", directory())],
                vec![("var/run", symlink("../run")), ("var/run/.wh.token", file())],
            ],
            Some(vec!["run", "var", "var/run"]),
        ),
        // The root, opaque through a link to it.
        (
            vec![
                vec![("a", symlink("..")), ("lower", file())],
                vec![("b", symlink("x")), ("a/.wh..wh..opq", file())],
            ],
            Some(vec!["b"]),
        ),
        // A hard link to a member that is yet to come.
        (
            vec![vec![("a-link", link("z-target")), ("z-target", file())]],
            Some(vec!["a-link", "z-target"]),
        ),
        // Hard links to AUFS's link store.
        (
            vec![vec![(stored, file()), ("a", link(stored)), ("b", link(stored))]],
            Some(vec!["a", "b"]),
        ),
        (vec![vec![("a", link(stored))]], None),
        // The directory of a whiteout that hides nothing.
        (vec![vec![("no/where/.wh.never", file())]], Some(vec!["no", "no/where"])),
        // A directory in the place of a file, or of a link that waits for its target: what
        // it replaces has hidden the lower directory of its name.
        (vec![vec![("d/lower", file())], vec![("d", file()), ("d", directory())]], Some(vec!["d"])),
        (
            vec![vec![("d/lower", file())], vec![("d", symlink("x")), ("d", directory())]],
            Some(vec!["d"]),
        ),
        (
            vec![vec![("d/lower", file())], vec![("d", link("d/f")), ("d/f", file())]],
            Some(vec!["d", "d/f"]),
        ),
        // A link to its own name, which it has taken from the lower layer.
        (vec![vec![("a", file())], vec![("a", link("a"))]], None),
        // What no tree takes.
        (vec![vec![("a", file())], vec![("a/.wh.b/c", file())]], None),
        (vec![vec![("a", Kind::CharDevice { major: 0, minor: 0 })]], None),
        (vec![vec![("s", symlink("s")), ("s/f", file())]], None),
        (vec![vec![("d", directory()), ("l", link("d"))]], None),
        // A link in the place of the directory that its target is in.
        (vec![vec![("d/e/f", file()), ("d", link("d/e/f"))]], None),
        // A link to a lower directory.
        (vec![vec![("a", file()), ("b/c", directory())], vec![("a", link("b/c"))]], None),
    ] {
        empty(&sandbox);
        let layers: Vec<Members> = layers
            .iter()
            .map(|members| members.iter().map(|(path, kind)| member(path, kind)).collect())
            .collect();
        let names: Option<Vec<String>> = meaning(&sandbox, &layers).ok().map(|dump| {
            let names = dump.lines().filter_map(|line| line.strip_prefix("./")?.split_once(' '));
            names.map(|(name, _)| name.to_owned()).filter(|name| !name.is_empty()).collect()
        });
        let expected = expected.map(|names| names.into_iter().map(str::to_owned).collect());
        assert_eq!(names, expected, "{layers:?}");
    }
}

fn member(path: &str, kind: &Kind) -> (Entry, Vec<u8>) {
    let entry = Entry {
        path: path.into(),
        kind: kind.clone(),
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: Timestamp::from_seconds(7),
        len_bytes: 0,
        xattrs: Xattrs::new(),
    };
    (entry, Vec::new())
}
