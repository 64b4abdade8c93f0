//! The table of tools: what each can do, as command lines that work in the
//! [`crate::fixture`]. A tool added here is covered by every test that loops
//! over the table.
//!
//! A command line is words with blanks between them, without the tool's name.

/// Whether a line of standard error names a step of a build or shows its output:
/// `img-build` is the one tool that is not silent when all is well.
#[must_use]
pub fn is_step(line: &str) -> bool {
    line.starts_with("img-build: STEP ")
}

/// A tool and its abilities.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// Its command.
    pub name: &'static str,
    /// Its argument definitions.
    pub command: fn() -> clap::Command,
    /// Its main job, which succeeds in silence.
    pub works: Line,
    /// Set if it works on a terminal only, and refuses to do so in a test of all tools.
    pub terminal: bool,
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
    /// All that follows the first operand is the command's, options as well.
    pub trailing: bool,
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
    /// With a file's name right after it, in that file.
    pub file: &'static str,
    /// The same, and fails.
    pub fails: &'static str,
    /// The same, and does not end.
    pub endless: Endless,
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
    /// It cannot: its work is short.
    Never,
}

/// How a tool lists names.
#[derive(Debug, Clone, Copy)]
pub struct Lists {
    /// One a line.
    pub line: &'static str,
    /// With `-0`.
    pub nul: &'static str,
}

/// What a tool can do of which its row says nothing.
const NOTHING: Tool = Tool {
    name: "",
    command: clap::Command::default,
    works: Line { options: "", operands: "" },
    terminal: false,
    missing: None,
    clustered: None,
    produces: None,
    reads: None,
    endless: Endless::Never,
    lists: None,
    json: &[],
    several: None,
    runs: None,
    trailing: false,
};

/// Every tool.
pub const ALL: &[Tool] = &[
    Tool {
        name: "layer-diff",
        command: layer_diff::command,
        works: Line { options: "--list", operands: "a b" },
        missing: Some(""),
        produces: Some(Produces {
            line: "a b",
            big: "big",
            file: "a b -o ",
            fails: "bad -o ",
            endless: Endless::Work("endless -o "),
        }),
        endless: Endless::Work("endless"),
        lists: Some(Lists { line: "--list odd", nul: "--list -0 odd" }),
        json: &["--json a b", "--json odd", "--json --image base"],
        ..NOTHING
    },
    Tool {
        name: "layer-apply",
        command: layer_apply::command,
        works: Line { options: "", operands: "sink layer.tar" },
        missing: Some(""),
        reads: Some(Reads { line: "sink2", layer: "layer.tar", twice: Some("sink - -") }),
        endless: Endless::Input("sink", "cut.tar"),
        ..NOTHING
    },
    Tool {
        name: "union-mount",
        command: union_mount::command,
        works: Line { options: "", operands: "root a -- /bin/true" },
        missing: Some(""),
        endless: Endless::Command("root -- /bin/sleep 1000"),
        runs: Some("root --"),
        json: &["--print root a -- /bin/true"],
        ..NOTHING
    },
    Tool {
        name: "img-commit",
        command: img_commit::command,
        works: Line { options: "-t new", operands: "base layer.tar" },
        missing: Some(""),
        produces: Some(Produces {
            line: "-o - base layer.tar",
            big: "-o - base big.tar",
            file: "base layer.tar -o oci-archive:",
            fails: "base cut.tar -o oci-archive:",
            endless: Endless::Input("base -o oci-archive:", "cut.tar"),
        }),
        reads: Some(Reads { line: "-t new base", layer: "layer.tar", twice: None }),
        endless: Endless::Input("base", "cut.tar"),
        ..NOTHING
    },
    Tool {
        name: "img-diff",
        command: img_diff::command,
        works: Line { options: "--depth 2", operands: "base base" },
        missing: Some("base"),
        clustered: Some(("-vd2 base base", "-v -d 2 base base")),
        reads: Some(Reads { line: "base -", layer: "archive.tar", twice: Some("- -") }),
        endless: Endless::Input("- base", "archive.tar"),
        json: &["--json base base"],
        ..NOTHING
    },
    Tool {
        name: "img-browse",
        command: img_browse::command,
        works: Line { options: "--platform linux/amd64", operands: "base" },
        terminal: true,
        missing: Some(""),
        clustered: None,
        ..NOTHING
    },
    Tool {
        name: "img-du",
        command: img_du::command,
        works: Line { options: "--depth 2", operands: "base" },
        missing: Some(""),
        clustered: Some(("-bd2 base", "-b -d 2 base")),
        reads: Some(Reads { line: "-", layer: "archive.tar", twice: Some("- -") }),
        endless: Endless::Input("-", "archive.tar"),
        json: &["--json base"],
        several: Some(("base nothing base", 5)),
        ..NOTHING
    },
    Tool {
        name: "img-index",
        command: img_index::command,
        works: Line { options: "-t indexed", operands: "base" },
        missing: Some("-t indexed"),
        clustered: Some(("-tindexed base", "-t indexed base")),
        reads: Some(Reads {
            line: "-t indexed -",
            layer: "archive.tar",
            twice: Some("-t indexed - -"),
        }),
        endless: Endless::Input("-t indexed -", "archive.tar"),
        ..NOTHING
    },
    Tool {
        name: "img-history",
        command: img_history::command,
        works: Line { options: "--no-trunc", operands: "base" },
        reads: Some(Reads { line: "-", layer: "archive.tar", twice: Some("- -") }),
        endless: Endless::Input("-", "archive.tar"),
        json: &["--json base"],
        several: Some(("-q base nothing base", 2)),
        ..NOTHING
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
            file: "-q context -o oci-archive:",
            fails: "-q context-fails -o oci-archive:",
            endless: Endless::Work("-q context-endless -o oci-archive:"),
        }),
        reads: Some(Reads { line: "-q -", layer: "context.tar", twice: None }),
        endless: Endless::Work("-q context-endless"),
        ..NOTHING
    },
    Tool {
        name: "img-run",
        command: img_run::command,
        works: Line { options: "--hostname box", operands: "base /bin/true" },
        missing: Some(""),
        clustered: Some(("-ea=b base /bin/true", "-e a=b base /bin/true")),
        endless: Endless::Command("base /bin/sleep 1000"),
        runs: Some("base"),
        trailing: true,
        ..NOTHING
    },
    Tool {
        name: "img-copy",
        command: img_copy::command,
        works: Line { options: "--quiet", operands: "base copied" },
        missing: Some(""),
        produces: Some(Produces {
            line: "base -",
            big: "base -",
            file: "base oci-archive:",
            fails: "oci-archive:cut.tar oci-archive:",
            endless: Endless::Input("- oci-archive:", "archive.tar"),
        }),
        reads: Some(Reads { line: "- copied", layer: "archive.tar", twice: None }),
        endless: Endless::Input("- copied", "archive.tar"),
        ..NOTHING
    },
    Tool {
        name: "img-inspect",
        command: img_inspect::command,
        works: Line { options: "--config", operands: "base" },
        missing: Some(""),
        reads: Some(Reads { line: "-", layer: "archive.tar", twice: Some("- -") }),
        endless: Endless::Input("-", "archive.tar"),
        json: &["base", "--raw base", "--config base"],
        ..NOTHING
    },
    Tool {
        name: "img-ls",
        command: img_ls::command,
        works: Line { options: "--no-trunc", operands: "base" },
        json: &["--json"],
        ..NOTHING
    },
    Tool {
        name: "img-rm",
        command: img_rm::command,
        works: Line { options: "-n", operands: "base" },
        missing: Some(""),
        clustered: Some(("-n0 base", "-n -0 base")),
        ..NOTHING
    },
    Tool {
        name: "layer-ls",
        command: layer_ls::command,
        works: Line { options: "-l", operands: "layer.tar" },
        reads: Some(Reads { line: "", layer: "layer.tar", twice: Some("- -") }),
        endless: Endless::Input("", "cut.tar"),
        lists: Some(Lists { line: "odd.tar", nul: "-0 odd.tar" }),
        json: &["--json odd.tar", "--json --image base", "--json --all --image base"],
        ..NOTHING
    },
    Tool {
        name: "layer-merge",
        command: layer_merge::command,
        works: Line { options: "-o merged.tar", operands: "layer.tar root.tar" },
        missing: Some(""),
        produces: Some(Produces {
            line: "layer.tar root.tar",
            big: "layer.tar big.tar",
            file: "layer.tar root.tar -o ",
            fails: "layer.tar cut.tar -o ",
            endless: Endless::Input("layer.tar - -o ", "cut.tar"),
        }),
        reads: Some(Reads { line: "-o merged.tar -", layer: "layer.tar", twice: Some("- -") }),
        endless: Endless::Input("layer.tar -", "cut.tar"),
        ..NOTHING
    },
];

/// The tool of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Tool> {
    ALL.iter().find(|tool| tool.name == name)
}

/// Runs `check` on every tool that `pick` picks, each to its end, and fails if it
/// failed for one of them. `LAYERUTILS_TEST_TOOLS` may name the tools to try.
///
/// # Panics
/// With the names of the tools that it failed for.
pub fn each<T>(
    pick: impl Fn(&'static Tool) -> Option<T>,
    check: impl Fn(&'static Tool, T) + std::panic::RefUnwindSafe,
) {
    let mut failed = Vec::new();
    let mut picked = 0;
    let only = std::env::var("LAYERUTILS_TEST_TOOLS").unwrap_or_default();
    for tool in ALL {
        if !only.is_empty() && !only.split(',').any(|name| name == tool.name) {
            continue;
        }
        let Some(ability) = pick(tool) else { continue };
        picked += 1;
        let check = std::panic::AssertUnwindSafe(|| check(tool, ability));
        if std::panic::catch_unwind(check).is_err() {
            failed.push(tool.name);
        }
    }
    assert!(picked > 0 || !only.is_empty(), "no tool can do what this test is about");
    assert!(failed.is_empty(), "failed for {}", failed.join(", "));
}

/// As [`each`], for what all tools can do.
pub fn every(check: impl Fn(&'static Tool) + std::panic::RefUnwindSafe) {
    each(|_| Some(()), |tool, ()| check(tool));
}

/// As [`every`], for what tools do without a terminal.
pub fn every_in_pipes(check: impl Fn(&'static Tool) + std::panic::RefUnwindSafe) {
    each(|tool| (!tool.terminal).then_some(()), |tool, ()| check(tool));
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

    /// Whether it prints what it finds as it goes, up to where it fails.
    #[must_use]
    pub fn is_listing(&self) -> bool {
        self.produces.is_none() && (self.lists.is_some() || !self.json.is_empty())
    }

    /// The status of a failure of its own: see env(1) for those that run commands.
    #[must_use]
    pub fn failure_status(&self, line: &str) -> i32 {
        let asked = self.trailing || line.split_whitespace().any(|word| word == "--");
        if self.runs.is_some() && asked { 125 } else { 2 }
    }
}
