//! Tables of what words become; the rows are what Dockerfile builders agree on.

use std::collections::BTreeMap;

use super::{Expander, NoVariables, Variables};

fn variables() -> BTreeMap<String, String> {
    [("PWD", "/home"), ("SHELL", "bash"), ("KOREAN", "한국어"), ("NULL", "")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn expand(word: &str) -> Option<String> {
    Expander::new('\\').word(word, &variables()).ok()
}

#[test]
fn words_become_what_the_table_says() {
    for (word, expected) in [
        ("hello", "hello"),
        ("he'll'o", "hello"),
        (r"he\'llo", "he'llo"),
        (r"abc\tdef", "abctdef"),
        (r#""abc\tdef""#, r"abc\tdef"),
        (r#""abc\\tdef""#, r"abc\tdef"),
        (r"'abc\tdef'", r"abc\tdef"),
        (r"hello\", "hello"),
        (r"hello\\", r"hello\"),
        (r#""hel'lo""#, "hel'lo"),
        (r"'hello\'", r"hello\"),
        ("$.", "$."),
        ("he$1x", "hex"),
        ("he$.x", "he$.x"),
        ("he$pwd.", "he."),
        ("he$PWD", "he/home"),
        (r"he\$PWD", "he$PWD"),
        (r"he\\$PWD", r"he\/home"),
        (r#""he\$PWD""#, "he$PWD"),
        (r"\${}aaa", "${}aaa"),
        ("he${hi}xx", "hexx"),
        ("he${XXX:-000}xx", "he000xx"),
        ("he${PWD:-000}xx", "he/homexx"),
        ("he${XXX:-${YYY:-yyy}}xx", "heyyyxx"),
        ("he${PWD:?}", "he/home"),
        ("he${NULL?}", "he"),
        ("${NULL-x}${NULL:-y}${NULL+z}${NULL:+w}", "yz"),
        ("he${PWD:+${SHELL}}xx", "hebashxx"),
        ("'he${XX}'", "he${XX}"),
        (r#""he'$PWD'""#, "he'/home'"),
        (r#"'"hello"'"#, r#""hello""#),
        (r"he${XXX:-\$PWD:}xx", "he$PWD:xx"),
        (r"he${XXX:-\${PWD}z}xx", "he${PWDz}xx"),
        ("안녕$KOREAN", "안녕한국어"),
        ("${aaa}}", "}"),
        ("${aaa:-bbb {foo}", "bbb {foo"),
        ("$@@@", "@@"),
        ("${-:-bbb}", "bbb"),
        ("$001aaa", "aaa"),
        ("$$", ""),
        ("a<b<<c", "a<b<<c"),
        ("${PWD#/}", "home"),
        ("${PWD%m*}", "/ho"),
        ("${PWD/o/0}", "/h0me"),
        (r"${PWD//\//\/}", r"\/home"),
        (r"${XXX:-a\}b}", "a}b"),
    ] {
        assert_eq!(expand(word).as_deref(), Some(expected), "{word}");
    }
}

#[test]
fn malformed_words_are_refused() {
    for word in [
        "he'llo",
        r"he\\'llo",
        "\"hello",
        r#""hello\""#,
        "${}",
        "he${}xx",
        "he${.}",
        "${aaa",
        "he${XXX:YYY}",
        "he${XXX?}",
        "he${XXX:?}",
        "he${NULL:?}",
        "he${PWD:=000}xx",
        "${{aaa}",
        "${aaa:-bbb ${foo}",
        "${:-bbb}",
        "${PWD:#x}",
        "${PWD:%%x}",
        "${PWD=x}",
        "${PWD//ww}",
        r"${PWD#\a}",
        "${",
        "${PWD/",
        "${PWD/a",
    ] {
        assert_eq!(expand(word), None, "{word}");
    }
}

#[test]
fn words_are_split_after_expansion_but_not_inside_quotes() {
    let mut set = BTreeMap::new();
    set.insert("space".to_owned(), "abc  def".to_owned());
    set.insert("leading".to_owned(), "  ab c".to_owned());
    let words = |word: &str| Expander::new('\\').words(word, &set).unwrap().join(",");
    for (word, expected) in [
        ("hello${space}bye", "helloabc,defbye"),
        ("hello\"${space}\"bye", "helloabc  defbye"),
        ("hello${leading}def", "hello,ab,cdef"),
        ("hello\" there  \"", "hello there  "),
        (r"hello\ there", "hello there"),
        ("  a  b ", "a,b"),
        ("\"\"", ""),
    ] {
        assert_eq!(words(word), expected, "{word}");
    }
}

#[test]
fn another_escape_character_leaves_backslashes_alone() {
    assert_eq!(Expander::new('`').word(r"c:\a`$b", &NoVariables).unwrap(), r"c:\a$b");
}

#[test]
fn a_heredocs_quotes_are_text() {
    let body = "echo \"it's $PWD\" \\$PWD\n";
    let expanded = Expander::for_heredoc().word(body, &variables()).unwrap();
    assert_eq!(expanded, "echo \"it's /home\" $PWD\n");
}

#[test]
fn growth_and_depth_are_bounded() {
    struct Big(String);
    impl Variables for Big {
        fn get(&self, _name: &str) -> Option<&str> {
            Some(&self.0)
        }
    }
    let big = Big("x".repeat(100_000));
    for word in ["$a$a", "\"$a$a\"", "${a//x/$a}"] {
        assert!(Expander::new('\\').word(word, &big).is_err(), "{word}");
    }
    let deep = format!("{}{}", "${x:-".repeat(100_000), "}".repeat(100_000));
    assert!(Expander::new('\\').word(&deep, &NoVariables).is_err());
    let deep = format!("{}{}", "${x:-\"".repeat(100_000), "\"}".repeat(100_000));
    assert!(Expander::new('\\').word(&deep, &NoVariables).is_err());
}
