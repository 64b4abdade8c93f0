//! What instructions leave in a config, as docker has it.

use super::{Changes, change};
use crate::containerfile::{Expander, history, parse};
use crate::oci::ImageConfig;

fn changed(before: &[&str], lines: &[&str]) -> Result<ImageConfig, super::Error> {
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let mut image = ImageConfig::default();
    if !before.is_empty() {
        change(&owned(before), &mut image)?;
    }
    change(&owned(lines), &mut image)?;
    Ok(image)
}

fn json(before: &[&str], lines: &[&str]) -> String {
    serde_json::to_string(&changed(before, lines).unwrap().config).unwrap()
}

#[test]
fn changes_set_what_docker_commit_sets() {
    for (line, expected) in [
        (r#"CMD ["a","b"]"#, r#"{"Cmd":["a","b"]}"#),
        ("CMD a b", r#"{"Cmd":["/bin/sh","-c","a b"]}"#),
        ("ENTRYPOINT a", r#"{"Entrypoint":["/bin/sh","-c","a"]}"#),
        ("ENV A=1 B='x y'", r#"{"Env":["A=1","B=x y"]}"#),
        ("EXPOSE 80 443/udp", r#"{"ExposedPorts":{"443/udp":{},"80/tcp":{}}}"#),
        ("LABEL a=\"b c\" d=", r#"{"Labels":{"a":"b c","d":""}}"#),
        ("ONBUILD RUN echo $x", r#"{"OnBuild":["RUN echo $x"]}"#),
        ("STOPSIGNAL SIGKILL", r#"{"StopSignal":"SIGKILL"}"#),
        ("USER 1:2", r#"{"User":"1:2"}"#),
        ("VOLUME /a /b", r#"{"Volumes":{"/a":{},"/b":{}}}"#),
        ("WORKDIR /a/../b/", r#"{"WorkingDir":"/a/../b/"}"#),
        (
            "HEALTHCHECK --interval=5s --retries=2 CMD echo ok",
            r#"{"Healthcheck":{"Test":["CMD-SHELL","echo ok"],"Interval":5000000000,"Retries":2}}"#,
        ),
        ("HEALTHCHECK NONE", r#"{"Healthcheck":{"Test":["NONE"]}}"#),
        (r#"SHELL ["/bin/bash","-c"]"#, r#"{"Shell":["/bin/bash","-c"]}"#),
    ] {
        assert_eq!(json(&[], &[line]), expected, "{line}");
    }
}

#[test]
fn other_instructions_are_no_change() {
    for (lines, expected) in [
        (vec!["RUN true"], "1: RUN is not a valid change command"),
        (vec!["USER a", "COPY a b"], "2: COPY is not a valid change command"),
        (vec!["FROM x"], "1: FROM is not a valid change command"),
        (vec!["FROB x"], "1: unknown instruction: FROB"),
        (vec!["EXPOSE x"], "1: invalid port: 'x'"),
        (vec!["STOPSIGNAL x"], "1: invalid signal: 'x'"),
        (vec![""], "1: there is no instruction in it"),
    ] {
        assert_eq!(changed(&[], &lines).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_failed_change_leaves_the_config_alone() {
    let mut image = ImageConfig::default();
    change(&["USER a".into(), "RUN x".into()], &mut image).unwrap_err();
    assert_eq!(image, ImageConfig::default());
}

#[test]
fn lines_are_one_file_and_see_the_variables_before_them() {
    assert_eq!(json(&[], &["ENV A=1 \\", "B=2"]), r#"{"Env":["A=1","B=2"]}"#);
    assert_eq!(
        json(&["ENV P=/a"], &["ENV P=$P:/b Q=$P", "ENV R=$P"]),
        r#"{"Env":["P=/a:/b","Q=/a","R=/a:/b"]}"#
    );
}

#[test]
fn an_entrypoint_drops_the_inherited_command_unless_cmd_is_given_too() {
    let before = [r#"CMD ["old"]"#];
    assert_eq!(json(&before, &[r#"ENTRYPOINT ["e"]"#]), r#"{"Entrypoint":["e"]}"#);
    assert_eq!(
        json(&before, &[r#"CMD ["c"]"#, r#"ENTRYPOINT ["e"]"#]),
        r#"{"Entrypoint":["e"],"Cmd":["c"]}"#
    );
    assert_eq!(json(&before, &["USER a"]), r#"{"User":"a","Cmd":["old"]}"#);
    // As docker has it: an empty one is filled from the image again.
    assert_eq!(
        json(&[r#"ENTRYPOINT ["e"]"#, r#"CMD ["c"]"#], &["ENTRYPOINT []"]),
        r#"{"Entrypoint":["e"],"Cmd":["c"]}"#
    );
}

#[test]
fn history_is_in_buildkits_words() {
    for (line, expected) in [
        ("ENV A=1 B='two words'", "ENV A=1 B=two words"),
        ("VOLUME /data /data2", "VOLUME [/data /data2]"),
        ("LABEL l1=v1 'l 2'=v\\ 2", "LABEL l1=v1 l 2=v 2"),
        ("EXPOSE 80 9000-9001 443/udp", "EXPOSE [443/udp 80/tcp 9000/tcp 9001/tcp]"),
        (r#"CMD ["sh", "-c", "a \"b\"\n"]"#, r#"CMD ["sh" "-c" "a \"b\"\n"]"#),
        ("ENTRYPOINT a", r#"ENTRYPOINT ["/bin/sh" "-c" "a"]"#),
        (r#"SHELL ["/bin/sh", "-e", "-c"]"#, "SHELL [/bin/sh -e -c]"),
        ("WORKDIR app", "WORKDIR /app"),
        ("MAINTAINER a b", "MAINTAINER a b"),
        (
            "HEALTHCHECK --interval=5s --retries=2 CMD echo ok",
            "HEALTHCHECK {Test:[CMD-SHELL echo ok] Interval:5s Timeout:0s StartPeriod:0s StartInterval:0s Retries:2}",
        ),
    ] {
        let parsed = parse(line.as_bytes()).unwrap();
        let instruction = parsed.instructions[0]
            .instruction
            .expanded(Expander::new('\\'), &crate::containerfile::NoVariables)
            .unwrap();
        let mut image = ImageConfig::default();
        Changes::default().apply(&instruction, &mut image).unwrap();
        assert_eq!(history::of_setting(&instruction, &image.config).as_deref(), Some(expected));
    }
}
