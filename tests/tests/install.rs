//! `make install` and `make uninstall`, as a packager runs them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fs;

use layerutils_tests::completion::SHELLS;
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::{binaries, require, tool};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn what_is_installed_is_complete_and_can_be_taken_away() {
    require!(Peer("make"));
    let sandbox = Sandbox::new();
    let destination = sandbox.path("destination");
    let make = |target: &str| {
        let destination = format!("DESTDIR={}", destination.display());
        let binaries = format!("BINARIES={}", binaries::folder().display());
        let argv = ["make", "-s", "-C", SOURCES, target, &destination, &binaries, "prefix=/usr"];
        let _ = sandbox.run(&argv).succeeds();
    };
    make("install");
    for tool in tool::ALL {
        let name = tool.name;
        let program = destination.join("usr/bin").join(name);
        let version = sandbox.run(&[program.as_os_str(), "--version".as_ref()]).succeeds();
        assert!(version.text().starts_with(name));
        let page = format!("usr/share/man/man1/{name}.1");
        assert!(destination.join(&page).is_file(), "{page}");
        let folders = [
            format!("usr/share/bash-completion/completions/{name}"),
            format!("usr/share/zsh/site-functions/_{name}"),
            format!("usr/share/fish/vendor_completions.d/{name}.fish"),
        ];
        for (shell, installed) in SHELLS.iter().zip(folders) {
            let file = fs::read(destination.join(&installed)).expect(&installed);
            assert!(file == shell.script(tool), "{installed} is not what {name} takes");
        }
    }
    make("uninstall");
    let left = sandbox.words("find destination ! -type d").succeeds();
    assert_eq!(left.text(), "");
}
