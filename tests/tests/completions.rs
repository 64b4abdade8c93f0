//! Completions: committed as generated, and answering in each shell.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fs;
use std::path::Path;

use layerutils_tests::completion::SHELLS;
use layerutils_tests::require;
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tool::{Tool, every};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../completions");

#[test]
fn what_is_committed_is_what_is_generated() {
    let mut expected = Vec::new();
    every(|tool| {
        for shell in SHELLS {
            let file = shell.file(tool.name);
            let committed = fs::read(Path::new(COMMITTED).join(&file)).unwrap_or_default();
            assert!(committed == shell.script(tool), "{file} is old: run 'make completions'");
        }
    });
    for shell in SHELLS {
        expected.push(shell.name.to_owned());
        let folder = Path::new(COMMITTED).join(shell.name);
        let count = fs::read_dir(folder).unwrap().count();
        assert_eq!(count, layerutils_tests::tool::ALL.len(), "files of tools that are gone");
    }
    let folders = fs::read_dir(COMMITTED).unwrap();
    let mut folders: Vec<_> =
        folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    folders.sort();
    expected.sort();
    assert_eq!(folders, expected);
}

#[test]
fn bash_completes_an_option() {
    require!(Peer("bash"));
    let sandbox = Sandbox::new();
    every(|tool| {
        let name = tool.name;
        // As bash itself calls it for `TOOL --ver<TAB>`.
        let script = format!(
            "source {COMMITTED}/bash/{name}
             words=$(complete -p {name}); function=${{words##*-F }}; function=${{function%% *}}
             COMP_WORDS=({name} --ver) COMP_CWORD=1 COMP_LINE='{name} --ver' COMP_POINT=99
             $function {name} --ver {name}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let answer = sandbox.run(&["bash", "--norc", "-c", &script]).succeeds();
        let mut answers: Vec<_> = answer.text().lines().collect();
        answers.sort_unstable();
        assert_eq!(answers, beginning_with_ver(tool), "{answer}");
    });
}

#[test]
fn zsh_completes_an_option() {
    require!(Peer("zsh"));
    let sandbox = Sandbox::new();
    every(|tool| {
        // A shell on a terminal of its own, into which a TAB is typed: zsh calls
        // completions from its line editor only.
        let script = format!(
            r"zmodload zsh/zpty
              zpty shell 'PS1=; zsh -f -i'
              zpty -w shell 'PS1=; setopt zle; bindkey -e; fpath=({COMMITTED}/zsh $fpath); autoload -U compinit; compinit -u -D; echo R''EADY'
              while zpty -r shell line; do [[ $line == *READY* ]] && break; done
              zpty -n -w shell '{name} --verb'$'\t'
              integer count=0
              while (( count++ < 50 )); do
                  zpty -r -t shell line && answer+=$line
                  [[ $answer == *--verbose* ]] && break
                  sleep 0.1
              done
              print -r -- $answer
              zpty -d shell",
            name = tool.name
        );
        let answer = sandbox.run(&["zsh", "-f", "-c", &script]).env("TERM", "dumb").outcome();
        assert!(answer.text().contains("--verbose"), "{answer}");
    });
}

#[test]
fn fish_completes_an_option() {
    require!(Peer("fish"));
    let sandbox = Sandbox::new();
    every(|tool| {
        let name = tool.name;
        let script = format!("source {COMMITTED}/fish/{name}.fish; complete -C '{name} --ver'");
        let answer = sandbox.run(&["fish", "--no-config", "-c", &script]).succeeds();
        let mut answers: Vec<_> =
            answer.text().lines().filter_map(|line| line.split('\t').next()).collect();
        answers.sort_unstable();
        assert_eq!(answers, beginning_with_ver(tool), "{answer}");
    });
}

/// The options of a tool that begin with `--ver`: every tool has two of them.
fn beginning_with_ver(tool: &Tool) -> Vec<String> {
    let mut command = (tool.command)();
    command.build();
    let options = command.get_arguments().filter_map(clap::Arg::get_long);
    let mut found: Vec<String> = options.map(|long| format!("--{long}")).collect();
    found.retain(|long| long.starts_with("--ver"));
    found.sort();
    assert!(found.len() >= 2);
    found
}

/// A sandbox whose store has an image of two tags, and one with a colon in its host.
fn with_images() -> Sandbox {
    let sandbox = Sandbox::new();
    for name in ["apple:1", "apple:2", "localhost:5000/x", "banana"] {
        let line = format!("img-commit -t {name} scratch");
        let _ = sandbox.sh(&format!("mkdir -p empty && layer-diff empty | {line}")).succeeds();
    }
    sandbox
}

#[test]
fn bash_completes_the_names_of_images() {
    require!(Peer("bash"));
    let sandbox = with_images();
    // As bash calls it for the last word of the line, cut at colons as it does.
    let complete = |line: &str| {
        let tool = line.split(' ').next().unwrap();
        let words: Vec<&str> = line.split([' ', ':']).collect();
        let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
        let script = format!(
            "source {COMMITTED}/bash/{tool}
             words=$(complete -p {tool}); function=${{words##*-F }}; function=${{function%% *}}
             COMP_WORDS=({tool}) COMP_CWORD=1 COMP_LINE='{line}' COMP_POINT=${{#COMP_LINE}}
             COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}
             $function {tool} '{last}' '{before}'; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let answer = sandbox.run(&["bash", "--norc", "-c", &script]).succeeds();
        let mut answers: Vec<String> = answer.text().lines().map(str::to_owned).collect();
        answers.sort();
        answers
    };
    assert_eq!(complete("img-du ap"), ["apple:1", "apple:2"]);
    assert_eq!(complete("img-du apple:"), ["1", "2"]);
    assert_eq!(complete("img-du localhost:5"), ["5000/x"]);
    assert_eq!(complete("layer-ls --image ban"), ["banana"]);
    assert_eq!(complete("layer-ls --image apple:"), ["1", "2"]);
    assert_eq!(complete("layer-ls --image=ban"), ["banana"]);
    assert_eq!(complete("layer-ls --image=localhost:5"), ["5000/x"]);
    assert_eq!(complete("img-history oci"), ["oci-archive:", "oci:"]);
    assert!(complete("img-du --ver").contains(&"--verify".to_owned()));
}

#[test]
fn fish_completes_the_names_of_images() {
    require!(Peer("fish"));
    let sandbox = with_images();
    let complete = |line: &str| {
        let tool = line.split(' ').next().unwrap();
        let script = format!("source {COMMITTED}/fish/{tool}.fish; complete -C '{line}'");
        let answer = sandbox.run(&["fish", "--no-config", "-c", &script]).succeeds();
        let mut answers: Vec<String> = answer.text().lines().map(str::to_owned).collect();
        answers.sort();
        answers
    };
    assert_eq!(complete("img-du appl"), ["apple:1", "apple:2"]);
    assert_eq!(complete("layer-ls --image ban"), ["banana"]);
}

#[test]
fn the_listing_for_completions_is_never_an_error() {
    let sandbox = Sandbox::new();
    let transports = "docker://\ndocker-archive:\noci-archive:\noci:\n";
    assert_eq!(sandbox.words("img-ls --complete").succeeds().text(), transports);
    let _ = sandbox.sh("mkdir -p broken && echo '{' > broken/index.json").succeeds();
    let broken = sandbox.words("img-ls --complete --store broken").succeeds();
    assert_eq!(broken.text(), transports);
}
