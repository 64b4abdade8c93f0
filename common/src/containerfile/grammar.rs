//! From a logical line to an instruction: keyword, flags, arguments.

use super::error::Problem;
use super::flags::{Flags, Takes};
use super::heredoc::{self, Heredoc};
use super::instruction::{Argument, Base, CommandLine, Instruction, Run, RunNetwork, Transfer};
use super::lines::to_text;
use super::{healthcheck, mount, word};

/// The keywords, upper case.
pub(super) const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// A line split into what every instruction has.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) keyword: &'static str,
    flags: Vec<String>,
    arguments: &'a str,
    escape: char,
}

impl<'a> Line<'a> {
    pub(super) fn split(text: &'a str, escape: char) -> Result<Self, Problem> {
        let (first, rest) = word::split_first(text.trim());
        let upper = first.to_ascii_uppercase();
        let Some(keyword) = KEYWORDS.iter().find(|keyword| **keyword == upper) else {
            return Err(Problem::UnknownInstruction(first.to_owned()));
        };
        let (flags, arguments) = word::flags(rest, escape);
        Ok(Self { keyword, flags, arguments: arguments.trim(), escape })
    }

    /// Whether the line may open heredocs: the JSON form may not.
    pub(super) fn may_have_heredocs(&self) -> bool {
        match self.keyword {
            "RUN" | "COPY" | "ADD" => !matches!(word::json(self.arguments), Ok(Some(_))),
            "ONBUILD" => Line::split(self.arguments, self.escape)
                .is_ok_and(|trigger| trigger.keyword != "ONBUILD" && trigger.may_have_heredocs()),
            _ => false,
        }
    }

    /// The instruction, given the heredocs that its line opens.
    pub(super) fn parse(&self, heredocs: Vec<Heredoc>) -> Result<Instruction, Problem> {
        let keyword = self.keyword;
        Ok(match keyword {
            "FROM" => self.from()?,
            "RUN" => self.run(heredocs)?,
            "COPY" => Instruction::Copy(self.transfer(heredocs)?),
            "ADD" => Instruction::Add(self.transfer(heredocs)?),
            "ONBUILD" => self.onbuild(&heredocs)?,
            "ARG" => self.arg()?,
            "HEALTHCHECK" => {
                let flags = self.known(&healthcheck::FLAGS.map(|name| (name, Takes::Value)))?;
                Instruction::Healthcheck(Box::new(healthcheck::parse(self.arguments, &flags)?))
            }
            _ => {
                self.known(&[])?;
                match keyword {
                    "ENV" => Instruction::Env(word::pairs(self.arguments, self.escape, keyword)?),
                    "LABEL" => {
                        Instruction::Label(word::pairs(self.arguments, self.escape, keyword)?)
                    }
                    "CMD" => Instruction::Cmd(self.command()?),
                    "ENTRYPOINT" => Instruction::Entrypoint(self.command()?),
                    "SHELL" => match word::json(self.arguments)? {
                        None if self.arguments.is_empty() => {
                            return Err(Problem::AtLeastOne(keyword));
                        }
                        None => return Err(Problem::NotJson),
                        Some(shell) if shell.is_empty() => {
                            return Err(Problem::AtLeastOne(keyword));
                        }
                        Some(shell) => Instruction::Shell(shell),
                    },
                    "WORKDIR" => Instruction::Workdir(self.one()?),
                    "USER" => Instruction::User(self.one()?),
                    "STOPSIGNAL" => Instruction::StopSignal(self.one()?),
                    "MAINTAINER" => Instruction::Maintainer(self.one()?),
                    "VOLUME" => self.volume()?,
                    _ => self.expose()?,
                }
            }
        })
    }

    fn known(&self, known: &[(&'static str, Takes)]) -> Result<Flags, Problem> {
        Flags::parse(self.keyword, &self.flags, known)
    }

    fn one(&self) -> Result<String, Problem> {
        match self.arguments {
            "" => Err(Problem::ExactlyOne(self.keyword)),
            text => Ok(text.to_owned()),
        }
    }

    fn command(&self) -> Result<CommandLine, Problem> {
        Ok(match word::json(self.arguments)? {
            Some(words) => CommandLine::Exec(words),
            None => CommandLine::Shell(self.arguments.to_owned()),
        })
    }

    fn from(&self) -> Result<Instruction, Problem> {
        let flags = self.known(&[("platform", Takes::Value)])?;
        let words = word::plain(self.arguments);
        let (image, name) = match words.as_slice() {
            [image] => (image, None),
            [image, r#as, name] if r#as.eq_ignore_ascii_case("as") => (image, Some(name)),
            _ => return Err(Problem::FromArguments),
        };
        let name = match name {
            Some(name) => Some(stage_name(name)?),
            None => None,
        };
        Ok(Instruction::From(Base {
            image: image.clone(),
            name,
            platform: flags.value("platform"),
        }))
    }

    fn run(&self, heredocs: Vec<Heredoc>) -> Result<Instruction, Problem> {
        let flags = self.known(&[
            ("mount", Takes::Values),
            ("network", Takes::Value),
            ("security", Takes::Value),
        ])?;
        let invalid =
            |flag: &str, value: String| Problem::InvalidValue { flag: flag.into(), value };
        let network = match flags.value("network").as_deref() {
            None => None,
            Some("default") => Some(RunNetwork::Default),
            Some("none") => Some(RunNetwork::None),
            Some("host") => Some(RunNetwork::Host),
            Some(other) => return Err(invalid("--network", other.to_owned())),
        };
        let is_insecure = match flags.value("security").as_deref() {
            None | Some("sandbox") => false,
            Some("insecure") => true,
            Some(other) => return Err(invalid("--security", other.to_owned())),
        };
        let raw_mounts = flags.values("mount");
        for text in &raw_mounts {
            mount::check_from(text)?;
        }
        let command = self.command()?;
        match &command {
            CommandLine::Exec(words) if words.is_empty() => {
                return Err(Problem::AtLeastOne(self.keyword));
            }
            CommandLine::Shell(text) if text.is_empty() => {
                return Err(Problem::AtLeastOne(self.keyword));
            }
            _ => {}
        }
        Ok(Instruction::Run(Run { command, heredocs, raw_mounts, network, is_insecure }))
    }

    fn transfer(&self, heredocs: Vec<Heredoc>) -> Result<Transfer, Problem> {
        let mut known = vec![
            ("chown", Takes::Value),
            ("chmod", Takes::Value),
            ("link", Takes::Switch),
            ("exclude", Takes::Values),
        ];
        known.extend(match self.keyword {
            "COPY" => [("from", Takes::Value), ("parents", Takes::Switch)].as_slice(),
            _ => &[
                ("checksum", Takes::Value),
                ("unpack", Takes::Switch),
                ("keep-git-dir", Takes::Switch),
            ],
        });
        let flags = self.known(&known)?;
        let mut words = match word::json(self.arguments)? {
            Some(words) => words,
            None => word::plain(self.arguments),
        };
        let destination = match words.pop() {
            Some(destination) if !words.is_empty() => destination,
            _ => return Err(Problem::NoDestination(self.keyword)),
        };
        if heredoc::opening(&destination).is_ok_and(|found| found.is_some()) {
            return Err(Problem::HeredocDestination(self.keyword));
        }
        if !heredocs.is_empty() {
            words.retain(|word| !heredoc::opening(word).is_ok_and(|found| found.is_some()));
        }
        let from = flags.value("from");
        if from.as_ref().is_some_and(|from| from.contains('$')) {
            return Err(Problem::VariableInFrom("--from"));
        }
        Ok(Transfer {
            sources: words,
            heredocs,
            destination,
            from,
            chown: flags.value("chown").filter(|value| !value.is_empty()),
            chmod: flags.value("chmod").filter(|value| !value.is_empty()),
            excludes: flags.values("exclude"),
            link: flags.switch("link").unwrap_or_default(),
            parents: flags.switch("parents").unwrap_or_default(),
            unpack: flags.switch("unpack"),
            checksum: flags.value("checksum"),
            keep_git_dir: flags.switch("keep-git-dir"),
        })
    }

    fn arg(&self) -> Result<Instruction, Problem> {
        self.known(&[])?;
        let words = word::quoted(self.arguments, self.escape);
        if words.is_empty() {
            return Err(Problem::AtLeastOne(self.keyword));
        }
        let arguments = words.into_iter().map(|word| match word.split_once('=') {
            Some(("", _)) => Err(Problem::BlankName(self.keyword)),
            Some((name, default)) => {
                Ok(Argument { name: name.to_owned(), default: Some(default.to_owned()) })
            }
            None => Ok(Argument { name: word, default: None }),
        });
        Ok(Instruction::Arg(arguments.collect::<Result<_, _>>()?))
    }

    fn volume(&self) -> Result<Instruction, Problem> {
        let words = match word::json(self.arguments)? {
            Some(words) => words,
            None => word::plain(self.arguments),
        };
        if words.is_empty() {
            return Err(Problem::AtLeastOne(self.keyword));
        }
        let paths: Vec<String> = words.iter().map(|path| path.trim().to_owned()).collect();
        if paths.iter().any(String::is_empty) {
            return Err(Problem::EmptyVolume);
        }
        Ok(Instruction::Volume(paths))
    }

    fn expose(&self) -> Result<Instruction, Problem> {
        let mut ports = word::plain(self.arguments);
        if ports.is_empty() {
            return Err(Problem::AtLeastOne(self.keyword));
        }
        ports.sort();
        Ok(Instruction::Expose(ports))
    }

    /// The trigger is checked now and kept as text, heredocs included: the image
    /// that is built from ours parses it again.
    fn onbuild(&self, heredocs: &[Heredoc]) -> Result<Instruction, Problem> {
        self.known(&[])?;
        if self.arguments.is_empty() {
            return Err(Problem::AtLeastOne(self.keyword));
        }
        let trigger = Line::split(self.arguments, self.escape)?;
        match trigger.keyword {
            "ONBUILD" => return Err(Problem::ChainedOnbuild),
            "FROM" => return Err(Problem::ForbiddenTrigger("FROM")),
            "MAINTAINER" => return Err(Problem::ForbiddenTrigger("MAINTAINER")),
            _ => {}
        }
        trigger.parse(heredocs.to_vec())?;
        let mut text = self.arguments.to_owned();
        for heredoc in heredocs {
            text.push('\n');
            text.push_str(&to_text(&heredoc.body));
            text.push_str(&heredoc.name);
        }
        Ok(Instruction::Onbuild(text))
    }
}

fn stage_name(name: &str) -> Result<String, Problem> {
    let lower = name.to_lowercase();
    let fits = |char: char| {
        char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '-' | '_' | '.')
    };
    if lower.starts_with(|char: char| char.is_ascii_lowercase()) && lower.chars().all(fits) {
        return Ok(lower);
    }
    Err(Problem::InvalidStageName(name.to_owned()))
}
