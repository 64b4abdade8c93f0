//! `--check` and `# check=`: each rule has files that keep it and files that break it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, unreachable_pub)]

mod support;

use support::Bench;

/// The lines and the rules of what is found, and the status.
fn check(bench: &Bench, text: &str, arguments: &[&str]) -> (Vec<String>, i32) {
    bench.write("Containerfile", text);
    let built = bench.run(&[arguments, &["--check", "ctx"]].concat(), b"");
    assert_eq!(built.stderr, "", "{text}");
    let lines = built.stdout.lines().map(|line| {
        let (place, _) = line.strip_prefix("Containerfile:").unwrap().rsplit_once(": ").unwrap();
        place.split(": ").take(2).collect::<Vec<_>>().join(" ")
    });
    (lines.collect(), built.status)
}

#[test]
fn each_rule_tells_the_bad_from_the_good() {
    let bench = Bench::new();
    bench.write(".dockerignore", "ignored\nd/*.o\n");
    for (text, expected) in [
        ("FROM scratch\nCOPY nonce /\nWORKDIR /a\nWORKDIR b\n", &[][..]),
        ("from scratch\ncopy nonce /\n", &[]),
        ("FROM scratch\ncopy nonce /\nLABEL a=b\n", &["2 ConsistentInstructionCasing"]),
        ("FROM scratch\nCopy nonce /\n", &["2 ConsistentInstructionCasing"]),
        ("from scratch\nCOPY nonce /\nlabel a=b\n", &["2 ConsistentInstructionCasing"]),
        ("FROM scratch as a\n", &["1 FromAsCasing"]),
        ("from scratch AS a\n", &["1 FromAsCasing"]),
        ("from scratch as a\n", &[]),
        ("FROM scratch AS Abc\n", &["1 StageNameCasing"]),
        ("FROM scratch AS a\nFROM scratch AS a\n", &["2 DuplicateStageName"]),
        ("FROM scratch AS context\n", &["1 ReservedStageName"]),
        ("FROM scratch AS scratch\n", &["1 ReservedStageName"]),
        ("FROM scratch\nLABEL a=b \\\n\n  c=d\n", &["4 NoEmptyContinuation"]),
        ("FROM scratch\nLABEL a=b \\\n# note\n  c=d\n", &[]),
        ("FROM scratch\nMAINTAINER me\n", &["2 MaintainerDeprecated"]),
        (
            "FROM scratch\nENV a b\nLABEL c d\n",
            &["2 LegacyKeyValueFormat", "3 LegacyKeyValueFormat"],
        ),
        ("FROM scratch\nENV a=b \"c d\"=e\n", &[]),
        ("FROM scratch\nCMD true\n", &["2 JSONArgsRecommended"]),
        ("FROM scratch\nENTRYPOINT true\nCMD [\"a\"]\n", &["2 JSONArgsRecommended"]),
        ("FROM scratch\nSHELL [\"/bin/x\"]\nCMD true\n", &[]),
        (
            "FROM scratch\nCMD [\"a\"]\nHEALTHCHECK NONE\nCMD [\"b\"]\nHEALTHCHECK CMD x\n",
            &["2 MultipleInstructionsDisallowed", "3 MultipleInstructionsDisallowed"],
        ),
        ("FROM scratch AS a\nCMD [\"a\"]\nFROM a\nCMD [\"b\"]\n", &[]),
        ("FROM scratch\nWORKDIR a\n", &["2 WorkdirRelativePath"]),
        ("FROM scratch AS a\nWORKDIR /a\nFROM a\nWORKDIR b\n", &[]),
        (
            "FROM scratch\nENV API_TOKEN=x\nARG password\n",
            &["2 SecretsUsedInArgOrEnv", "3 SecretsUsedInArgOrEnv"],
        ),
        ("FROM scratch\nENV PUBLIC_KEY=x\nENV TOKEN_FILE=x\nENV TOKENS=1\nENV keyboard=us\n", &[]),
        ("FROM scratch\nENV a=$b\nARG c\nENV d=$c\nENV e=$a\n", &["2 UndefinedVar"]),
        ("FROM scratch\nARG f=$g\nCOPY nonce /$PATH\nRUN echo $b\n", &["2 UndefinedVar"]),
        ("FROM scratch\nRUN --mount=type=cache,target=/c$x true\n", &["2 UndefinedVar"]),
        ("ARG a=scratch\nFROM $a AS x\nFROM $b$a\n", &["3 UndefinedArgInFrom"]),
        ("ARG a\nFROM scratch$a\n", &[]),
        ("ARG a=\nFROM ${a:-scratch}\n", &[]),
        ("ARG a=Upper\nFROM scratch\nFROM $a\n", &["3 InvalidDefaultArgInFrom"]),
        ("FROM --platform=$TARGETPLATFORM scratch\n", &["1 RedundantTargetPlatform"]),
        ("FROM --platform=${TARGETPLATFORM} scratch\n", &["1 RedundantTargetPlatform"]),
        ("FROM --platform=$BUILDPLATFORM scratch\n", &[]),
        ("FROM --platform=linux/amd64 scratch\n", &["1 FromPlatformFlagConstDisallowed"]),
        ("FROM --platform=linux/amd64 scratch AS build-amd64\n", &[]),
        ("FROM scratch\nEXPOSE 80/TcP 81\n", &["2 ExposeProtoCasing"]),
        ("FROM scratch\nEXPOSE 80/tcp 82/udp\n", &[]),
        ("FROM scratch\nEXPOSE 127.0.0.1:80:80\n", &["2 ExposeInvalidFormat"]),
        (
            "FROM scratch\nCOPY ignored /\nADD ./d/x.o /\n",
            &["2 CopyIgnoredFile", "3 CopyIgnoredFile"],
        ),
        ("FROM scratch AS a\nFROM scratch\nCOPY --from=a ignored /\nCOPY d /\n", &[]),
        // A stage that the target does not need.
        ("FROM scratch AS a\nCMD true\nFROM scratch\n", &["2 JSONArgsRecommended"]),
    ] {
        // Upper case names no image, which only --build-arg mends.
        let arguments: &[&str] = match text.contains("Upper") {
            true => &["--build-arg", "a=scratch"],
            false => &[],
        };
        let (found, status) = check(&bench, text, arguments);
        assert_eq!(found, expected, "{text}");
        assert_eq!(status, i32::from(!expected.is_empty()), "{text}");
    }
    assert!(!bench.path("store").try_exists().unwrap(), "something was built");
}

#[test]
fn a_target_limits_the_checks_to_what_it_needs() {
    let bench = Bench::new();
    let text = "FROM scratch AS a\nCMD true\nFROM scratch AS b\n";
    assert_eq!(check(&bench, text, &["--target", "b"]).0, [""; 0]);
    assert_eq!(check(&bench, text, &["--target", "a"]).0, ["2 JSONArgsRecommended"]);
    let text = "FROM scratch AS a\nENV TOKEN=x\nENV b c\nFROM scratch AS b\n";
    assert_eq!(check(&bench, text, &["--target", "b"]).0, [""; 0]);
    bench.build(&format!("# check=error=true\n{text}"));
    // Names are read of all.
    let text = "FROM scratch AS A\nMAINTAINER me\nFROM scratch AS b\n";
    let found = check(&bench, text, &["--target", "b"]).0;
    assert_eq!(found, ["1 StageNameCasing", "2 MaintainerDeprecated"]);
}

#[test]
fn ignored_files_are_not_told_where_some_are_taken_in_again() {
    let bench = Bench::new();
    bench.write(".dockerignore", "d\n!d/f\n");
    assert_eq!(check(&bench, "FROM scratch\nCOPY d /\n", &[]).0, [""; 0]);
}

#[test]
fn rules_are_skipped_and_made_errors_by_the_directive_or_an_argument() {
    let bench = Bench::new();
    let body = "FROM scratch as a\nMAINTAINER me\n";
    let both = ["2 FromAsCasing", "3 MaintainerDeprecated"];
    for (directive, expected) in [
        ("skip=all", &[][..]),
        ("skip=FromAsCasing", &both[1..]),
        (" skip = fromascasing , MaintainerDeprecated ; error=false", &[]),
        ("error=true", &both),
    ] {
        let text = format!("# check={directive}\n{body}");
        assert_eq!(check(&bench, &text, &[]).0, expected, "{directive}");
    }
    let argument = ["--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=MaintainerDeprecated"];
    let text = format!("# check=skip=all\n{body}");
    assert_eq!(check(&bench, &text, &argument).0, both[..1]);

    // Without --check, only errors matter.
    bench.build(&text);
    bench.build(&format!("# check=error=false\n{body}"));
    bench.build(&format!("# check=error=true;skip=all\n{body}"));
    for (directive, expected) in [
        (
            "error=true;skip=FromAsCasing",
            "img-build: warning: Containerfile:3: MaintainerDeprecated: use LABEL org.opencontainers.image.authors=NAME\nimg-build: Containerfile: check=error=true: 1 check failed\n",
        ),
        ("error=perhaps", "img-build: invalid check option 'error=perhaps'\n"),
        ("skip", "img-build: invalid check option 'skip'\n"),
        ("what=1", "img-build: invalid check option 'what=1'\n"),
    ] {
        let message = bench.fail_in(&format!("# check={directive}\n{body}"));
        assert_eq!(message, expected);
    }
}
