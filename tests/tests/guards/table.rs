//! `guards.txt`, read.
//!
//! A line is a key and the rest; lines that begin with `#` are for readers. `guard`
//! begins one, `against` says which threats it is for, `file`, `after`, `code` and
//! `instead` say what to take out and what to put in its place (nothing, where that is
//! not said), and `test` names a package, a target and the test in it.

/// A guard, and what fails without it.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) name: &'static str,
    pub(crate) threats: Vec<&'static str>,
    pub(crate) edits: Vec<Edit>,
    pub(crate) tests: Vec<Test>,
}

/// How it is taken out.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) file: &'static str,
    /// The code is looked for from here on; without it, it is there only once.
    pub(crate) after: Option<&'static str>,
    pub(crate) code: &'static str,
    pub(crate) instead: &'static str,
}

#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) package: &'static str,
    pub(crate) target: Target,
    pub(crate) name: &'static str,
}

#[derive(Debug)]
pub(crate) enum Target {
    Library,
    Test(&'static str),
}

pub(crate) fn read() -> Vec<Guard> {
    let mut guards: Vec<Guard> = Vec::new();
    for line in include_str!("guards.txt").lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once(' ').unwrap();
        let value = value.trim();
        if key == "guard" {
            guards.push(Guard { name: value, threats: vec![], edits: vec![], tests: vec![] });
            continue;
        }
        let guard = guards.last_mut().unwrap();
        let edit = guard.edits.last_mut();
        match key {
            "against" => guard.threats.push(value),
            "file" => {
                guard.edits.push(Edit { file: value, after: None, code: "", instead: "" });
            }
            "after" => edit.unwrap().after = Some(value),
            "code" => edit.unwrap().code = value,
            "instead" => edit.unwrap().instead = value,
            "test" => {
                let words: Vec<&str> = value.split(' ').collect();
                let [package, target, name] = words[..] else { panic!("{line}") };
                let target = if target == "lib" { Target::Library } else { Target::Test(target) };
                guard.tests.push(Test { package, target, name });
            }
            _ => panic!("{line}"),
        }
    }
    guards
}
