//! Whole files: what they parse to, and the lines of what is refused.

use proptest::prelude::*;

use super::{Argument, CommandLine, Containerfile, Instruction, parse};

fn one(text: &str) -> Instruction {
    let parsed = parse(text.as_bytes()).unwrap();
    assert_eq!(parsed.instructions.len(), 1, "{text}");
    parsed.instructions[0].instruction.clone()
}

#[test]
fn errors_name_the_line_where_the_instruction_begins() {
    for (text, expected) in [
        ("FROM a\n\nFROB x", "3: unknown instruction: FROB"),
        ("FROM a\nRUN a \\\n b\nFOO", "4: unknown instruction: FOO"),
        ("FROM a\nRUN cat <<X\nb\n", "2: heredoc 'X' is not terminated"),
        ("", "1: there is no instruction in it"),
        ("# x\n", "1: there is no instruction in it"),
        ("ARG a", "1: no build stage: there is no FROM"),
        ("RUN a\nFROM b", "1: RUN before the first FROM: only ARG may come there"),
        ("FROM", "1: FROM requires either one or three arguments"),
        ("FROM a b", "1: FROM requires either one or three arguments"),
        (
            "FROM a AS 1x",
            "1: invalid name for build stage: '1x': it must begin with a letter, and hold letters, digits, '-', '_' and '.'",
        ),
        ("FROM a\nCOPY x", "2: COPY requires at least two arguments: the last is the destination"),
        ("FROM a\nCOPY x <<EOF\nEOF", "2: COPY cannot take a heredoc as its destination"),
        ("FROM a\nCOPY --foo x y", "2: unknown flag: --foo for COPY"),
        ("FROM a\nADD --from=b x y", "2: unknown flag: --from for ADD"),
        ("FROM a\nCOPY --chown=1 --chown=2 x y", "2: flag given twice: --chown"),
        ("FROM a\nCOPY --chown x y", "2: flag needs a value: --chown"),
        ("FROM a\nCOPY --link=2 x y", "2: invalid value for --link: '2'"),
        (
            "FROM a\nCOPY --from=$x x y",
            "2: variables are not expanded in --from: name a stage with FROM instead",
        ),
        ("FROM a\nENV x", "2: ENV must have two arguments"),
        ("FROM a\nENV x=1 y", "2: 'y' is not of the form NAME=VALUE"),
        ("FROM a\nCMD [\"a\", 1]", "2: a JSON array here may hold only strings"),
        ("FROM a\nSHELL /bin/sh", "2: SHELL requires the arguments in JSON form"),
        (
            "FROM a\nONBUILD ONBUILD RUN x",
            "2: chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
        ),
        ("FROM a\nONBUILD FROM x", "2: FROM isn't allowed as an ONBUILD trigger"),
        ("FROM a\nONBUILD FROB", "2: unknown instruction: FROB"),
        ("FROM a\nRUN", "2: RUN requires at least one argument"),
        ("FROM a\nWORKDIR", "2: WORKDIR requires exactly one argument"),
        ("FROM a\nVOLUME [\"\"]", "2: VOLUME cannot be an empty string"),
        ("FROM a\nHEALTHCHECK FOO", "2: unknown type 'FOO' in HEALTHCHECK: it must be CMD or NONE"),
        ("FROM a\nHEALTHCHECK --interval=1 CMD x", "2: invalid value for --interval: '1'"),
        ("FROM a\nRUN --network=foo x", "2: invalid value for --network: 'foo'"),
    ] {
        assert_eq!(Containerfile::parse(text.as_bytes()).unwrap_err().to_string(), expected);
    }
}

#[test]
fn stages_and_globals_are_told_apart() {
    let file = b"ARG v=1\nARG w\nFrom --platform=$p base:$v As Build\nRUN a\nFROM scratch\nCOPY --from=build /a /\n";
    let file = Containerfile::parse(file).unwrap();
    assert_eq!(file.globals.len(), 2);
    assert_eq!(file.globals[0].1, [Argument { name: "v".into(), default: Some("1".into()) }]);
    assert_eq!(file.stages[0].base.name.as_deref(), Some("build"));
    assert_eq!(file.stages[0].base.platform.as_deref(), Some("$p"));
    assert_eq!(file.stages[1].instructions[0].line, 6);
    assert_eq!(file.stages[1].instructions[0].text, "COPY --from=build /a /");
}

#[test]
fn commands_have_two_forms() {
    let Instruction::Run(run) = one("run  a  b ") else { panic!() };
    assert_eq!(run.command, CommandLine::Shell("a  b".into()));
    let Instruction::Run(run) = one("RUN [\"a\", \"b c\"]") else { panic!() };
    assert_eq!(run.command, CommandLine::Exec(vec!["a".into(), "b c".into()]));
    let Instruction::Run(run) = one("RUN [a]") else { panic!() };
    assert_eq!(run.command, CommandLine::Shell("[a]".into()));
    assert_eq!(one("ENTRYPOINT []"), Instruction::Entrypoint(CommandLine::Exec(vec![])));
}

#[test]
fn heredocs_belong_to_run_copy_add_and_their_triggers() {
    let Instruction::Run(run) = one("RUN <<EOF bash\n# not a comment\nb \\\nEOF") else { panic!() };
    assert_eq!(run.heredocs[0].body, b"# not a comment\nb \\\n");
    let Instruction::Copy(copy) = one("COPY --chown=1 <<A x <<-'B' /d/\na\nA\n\tb\n\tB\n") else {
        panic!()
    };
    assert_eq!(copy.sources, ["x"]);
    assert_eq!(copy.heredocs[0].content(), b"a\n");
    assert_eq!((copy.heredocs[1].content(), copy.heredocs[1].expands), (b"b\n".to_vec(), false));
    assert_eq!(one("ONBUILD RUN <<E\nx\nE"), Instruction::Onbuild("RUN <<E\nx\nE".into()));
    assert_eq!(one("CMD cat <<E"), Instruction::Cmd(CommandLine::Shell("cat <<E".into())));
    let Instruction::Run(run) = one("RUN [\"cat\", \"<<E\"]") else { panic!() };
    assert!(run.heredocs.is_empty());
    let Instruction::Run(run) = one("RUN echo $((1<<2))") else { panic!() };
    assert!(run.heredocs.is_empty());
}

#[test]
fn copies_hold_their_flags() {
    let Instruction::Copy(copy) = one(
        "COPY --from=0 --chown=a:b --chmod=755 --exclude=*.o --exclude=b --link --parents [\"a b\", \"/c\"]",
    ) else {
        panic!()
    };
    assert_eq!(copy.from.as_deref(), Some("0"));
    assert_eq!((copy.chown.as_deref(), copy.chmod.as_deref()), (Some("a:b"), Some("755")));
    assert_eq!(copy.excludes, ["*.o", "b"]);
    assert!(copy.link && copy.parents);
    assert_eq!((copy.sources, copy.destination), (vec!["a b".to_owned()], "/c".to_owned()));
}

#[test]
fn arguments_keep_their_quotes_until_they_are_expanded() {
    assert_eq!(
        one("ARG a b= c='x y'"),
        Instruction::Arg(vec![
            Argument { name: "a".into(), default: None },
            Argument { name: "b".into(), default: Some(String::new()) },
            Argument { name: "c".into(), default: Some("'x y'".into()) },
        ])
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Containerfile::parse(&bytes);
    }

    #[test]
    fn no_text_of_the_languages_own_pieces_makes_it_panic(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("FROM "), Just("RUN "), Just("COPY "), Just("ONBUILD "), Just("ENV "),
                Just("HEALTHCHECK "), Just("--mount="), Just("--"), Just("<<EOF"), Just("<<-'E'"),
                Just("EOF"), Just("\n"), Just("\\\n"), Just("\\"), Just("${a:-"), Just("}"),
                Just("$"), Just("\""), Just("'"), Just("[\"a\""), Just("]"), Just("# escape=`\n"),
                Just("`"), Just("="), Just(" "), Just("\t"), Just("é"), Just("CMD "), Just("5s"),
            ],
            0..60,
        )
    ) {
        if let Ok(parsed) = parse(pieces.concat().as_bytes()) {
            let expander = super::Expander::new(parsed.directives.escape);
            for located in parsed.instructions {
                let _ = located.instruction.expanded(expander, &super::NoVariables);
                if let Instruction::Run(run) = located.instruction {
                    let _ = run.mounts(expander, &super::NoVariables);
                }
            }
        }
    }
}
