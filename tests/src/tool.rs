//! The table of tools: what each can do, as command lines that work in the
//! [`crate::fixture`]. A tool added here is covered by every test that loops
//! over the table.
//!
//! A command line is words with blanks between them, without the tool's name.

/// A tool and its abilities.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// Its command.
    pub name: &'static str,
    /// Its argument definitions.
    pub command: fn() -> clap::Command,
    /// Its main job, which succeeds in silence.
    pub works: Line,
    /// Lacks an operand.
    pub missing: Option<&'static str>,
    /// Short options written together, and the same apart.
    pub clustered: Option<(&'static str, &'static str)>,
    /// Produces a layer or an archive.
    pub produces: Option<Produces>,
    /// Reads a layer or an archive from standard input.
    pub reads: Option<Reads>,
    /// Goes on until it is stopped.
    pub endless: Endless,
    /// Lists the names in `odd`.
    pub lists: Option<Lists>,
    /// Prints JSON, one value a line.
    pub json: &'static [&'static str],
    /// Names several inputs of which the second one is bad, and how many lines of
    /// standard output the good ones get.
    pub several: Option<(&'static str, usize)>,
    /// Runs the command that follows.
    pub runs: Option<&'static str>,
}

/// A command line in two parts.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Options.
    pub options: &'static str,
    /// Operands, none of which begins with `-`.
    pub operands: &'static str,
}

/// How a tool produces a layer or an archive.
#[derive(Debug, Clone, Copy)]
pub struct Produces {
    /// On standard output.
    pub line: &'static str,
    /// The same with more than a pipe holds.
    pub big: &'static str,
    /// With `-o FILE` after it, a file.
    pub file: Option<&'static str>,
    /// With `-o FILE` after it, so much that it does not end.
    pub endless_file: Option<&'static str>,
    /// With `-o FILE` after it, fails.
    pub fails: Option<&'static str>,
}

/// How a tool reads a layer or an archive.
#[derive(Debug, Clone, Copy)]
pub struct Reads {
    /// With `layer` as its standard input, succeeds.
    pub line: &'static str,
    /// The file in the fixture that it reads.
    pub layer: &'static str,
    /// Names standard input twice.
    pub twice: Option<&'static str>,
}

/// How a tool can be kept busy.
#[derive(Debug, Clone, Copy)]
pub enum Endless {
    /// By what it has to do.
    Work(&'static str),
    /// By an input that begins like this file and never ends.
    Input(&'static str, &'static str),
    /// It runs a command, which decides.
    Command(&'static str),
}

/// How a tool lists names.
#[derive(Debug, Clone, Copy)]
pub struct Lists {
    /// One a line.
    pub line: &'static str,
    /// With `-0`.
    pub nul: &'static str,
}

/// Every tool.
pub const ALL: &[Tool] = &[
    Tool {
        name: "layer-diff",
        command: layer_diff::command,
        works: Line { options: "--list", operands: "a b" },
        missing: Some(""),
        clustered: None,
        produces: Some(Produces {
            line: "a b",
            big: "big",
            file: Some("a b"),
            endless_file: Some("endless"),
            fails: Some("bad"),
        }),
        reads: None,
        endless: Endless::Work("endless"),
        lists: Some(Lists { line: "--list odd", nul: "--list -0 odd" }),
        json: &["--json a b", "--json odd"],
        several: None,
        runs: None,
    },
    Tool {
        name: "layer-apply",
        command: layer_apply::command,
        works: Line { options: "", operands: "sink layer.tar" },
        missing: Some(""),
        clustered: None,
        produces: None,
        reads: Some(Reads { line: "sink2", layer: "layer.tar", twice: Some("sink - -") }),
        endless: Endless::Input("sink", "cut.tar"),
        lists: None,
        json: &[],
        several: None,
        runs: None,
    },
    Tool {
        name: "union-mount",
        command: union_mount::command,
        works: Line { options: "", operands: "root a -- /bin/true" },
        missing: Some(""),
        clustered: None,
        produces: None,
        reads: None,
        endless: Endless::Command("root -- /bin/sleep 1000"),
        lists: None,
        json: &[],
        several: None,
        runs: Some("root --"),
    },
    Tool {
        name: "img-commit",
        command: img_commit::command,
        works: Line { options: "-t new", operands: "base layer.tar" },
        missing: Some(""),
        clustered: None,
        produces: None,
        reads: Some(Reads { line: "-t new base", layer: "layer.tar", twice: None }),
        endless: Endless::Input("-t new base", "cut.tar"),
        lists: None,
        json: &[],
        several: None,
        runs: None,
    },
    Tool {
        name: "img-history",
        command: img_history::command,
        works: Line { options: "--no-trunc", operands: "base" },
        missing: None,
        clustered: None,
        produces: None,
        reads: Some(Reads { line: "-", layer: "archive.tar", twice: Some("- -") }),
        endless: Endless::Input("-", "archive.tar"),
        lists: None,
        json: &["--json base"],
        several: Some(("-q base nothing base", 2)),
        runs: None,
    },
    Tool {
        name: "img-build",
        command: img_build::command,
        works: Line { options: "-q -t built", operands: "context" },
        missing: Some(""),
        clustered: Some(("-qt built context", "-q -t built context")),
        produces: Some(Produces {
            line: "-q -o - context",
            big: "-q -o - context-big",
            file: Some("-q context"),
            endless_file: Some("-q context-endless"),
            fails: Some("-q context-fails"),
        }),
        reads: Some(Reads { line: "-q -", layer: "context.tar", twice: None }),
        endless: Endless::Work("-q -t endless context-endless"),
        lists: None,
        json: &[],
        several: None,
        runs: None,
    },
];

/// The tool of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Tool> {
    ALL.iter().find(|tool| tool.name == name)
}

/// Runs `check` on every tool that `pick` picks, each to its end, and fails if it
/// failed for one of them.
///
/// # Panics
/// With the names of the tools that it failed for.
pub fn each<T>(
    pick: impl Fn(&'static Tool) -> Option<T>,
    check: impl Fn(&'static Tool, T) + std::panic::RefUnwindSafe,
) {
    let mut failed = Vec::new();
    let mut picked = 0;
    for tool in ALL {
        let Some(ability) = pick(tool) else { continue };
        picked += 1;
        let check = std::panic::AssertUnwindSafe(|| check(tool, ability));
        if std::panic::catch_unwind(check).is_err() {
            failed.push(tool.name);
        }
    }
    assert!(picked > 0, "no tool can do what this test is about");
    assert!(failed.is_empty(), "failed for {}", failed.join(", "));
}

/// As [`each`], for what all tools can do.
pub fn every(check: impl Fn(&'static Tool) + std::panic::RefUnwindSafe) {
    each(|_| Some(()), |tool, ()| check(tool));
}

impl Tool {
    /// A command line of this tool.
    #[must_use]
    pub fn line(&self, arguments: &str) -> String {
        format!("{} {arguments}", self.name)
    }

    /// What it does first of all.
    #[must_use]
    pub fn working(&self) -> String {
        format!("{} {} {}", self.name, self.works.options, self.works.operands)
    }

    /// The status of a failure of its own: see env(1) for those that run commands.
    #[must_use]
    pub fn failure_status(&self, line: &str) -> i32 {
        if self.runs.is_some() && line.split_whitespace().any(|word| word == "--") {
            125
        } else {
            2
        }
    }
}
