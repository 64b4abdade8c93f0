//! The changes in the text of a small file: removed and added lines with those around
//! them, as `diff -u` shows them.

use std::fmt::Write as _;

/// Lines around a change.
const CONTEXT: usize = 3;

/// The largest table that is made, in cells, and how large all of them may be together.
/// Beyond that, all lines between the first change and the last are taken for changed.
const MAX_CELLS: usize = 4 << 20;
const ALL_CELLS: usize = 64 << 20;

/// The work that may still be done to find out which lines stayed.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(ALL_CELLS)
    }
}

impl Budget {
    /// Whether a table of so many cells may be made, which then counts.
    fn allows(&mut self, cells: usize) -> bool {
        let left = self.0.checked_sub(cells).filter(|_| cells <= MAX_CELLS);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Old(&'a str),
    New(&'a str),
}

/// The hunks that turn `old` into `new`; `None` if one of them is no text.
pub(crate) fn hunks(old: &[u8], new: &[u8], budget: &mut Budget) -> Option<String> {
    let text = |bytes| std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    let (old, new) = (text(old)?, text(new)?);
    let lines =
        |text: &'_ str| -> Vec<String> { text.split_inclusive('\n').map(str::to_owned).collect() };
    let (old, new) = (lines(old), lines(new));
    let script = script(&old, &new, budget);
    Some(shown(&script))
}

/// All lines of both, in order.
fn script<'a>(old: &'a [String], new: &'a [String], budget: &mut Budget) -> Vec<Line<'a>> {
    let start = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let (head, old) = old.split_at(start);
    let new = new.get(start..).unwrap_or_default();
    let end =
        old.iter().rev().zip(new.iter().rev()).take_while(|(one, other)| one == other).count();
    let (old, tail) = old.split_at(old.len() - end);
    let new = new.get(..new.len() - end).unwrap_or_default();
    let mut script: Vec<_> = head.iter().map(|line| Line::Same(line)).collect();
    script.extend(middle(old, new, budget));
    script.extend(tail.iter().map(|line| Line::Same(line)));
    script
}

/// The same by the longest common subsequence, if that is not too much work.
fn middle<'a>(old: &'a [String], new: &'a [String], budget: &mut Budget) -> Vec<Line<'a>> {
    let width = new.len() + 1;
    if !budget.allows((old.len() + 1).saturating_mul(width)) {
        let gone = old.iter().map(|line| Line::Old(line));
        return gone.chain(new.iter().map(|line| Line::New(line))).collect();
    }
    // How long the longest common subsequence of what follows is.
    let mut table = vec![0_u32; (old.len() + 1) * width];
    let get = |table: &[u32], row: usize, column: usize| {
        table.get(row * width + column).copied().unwrap_or(0)
    };
    for (row, one) in old.iter().enumerate().rev() {
        for (column, other) in new.iter().enumerate().rev() {
            let best = match one == other {
                true => get(&table, row + 1, column + 1) + 1,
                false => get(&table, row + 1, column).max(get(&table, row, column + 1)),
            };
            if let Some(cell) = table.get_mut(row * width + column) {
                *cell = best;
            }
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut script = Vec::new();
    loop {
        match (old.get(row), new.get(column)) {
            (None, None) => return script,
            (Some(one), Some(other)) if one == other => {
                script.push(Line::Same(one));
                (row, column) = (row + 1, column + 1);
            }
            (Some(one), other)
                if other.is_none()
                    || get(&table, row + 1, column) >= get(&table, row, column + 1) =>
            {
                script.push(Line::Old(one));
                row += 1;
            }
            (_, Some(other)) => {
                script.push(Line::New(other));
                column += 1;
            }
            (Some(one), None) => {
                script.push(Line::Old(one));
                row += 1;
            }
        }
    }
}

fn shown(script: &[Line<'_>]) -> String {
    let mut text = String::new();
    let is_near = |at: usize| {
        let from = at.saturating_sub(CONTEXT);
        let near = script.get(from..script.len().min(at + CONTEXT + 1)).unwrap_or_default();
        near.iter().any(|line| !matches!(line, Line::Same(_)))
    };
    let (mut old, mut new) = (1, 1);
    let mut was_near = false;
    for (at, line) in script.iter().enumerate() {
        let near = is_near(at);
        if near && !was_near {
            let rest = script.iter().enumerate().skip(at).take_while(|(at, _)| is_near(*at));
            let hunk: Vec<_> = rest.map(|(_, line)| line).collect();
            let len =
                |other: fn(&Line<'_>) -> bool| hunk.iter().filter(|line| !other(line)).count();
            let (of_old, of_new) = (
                range(old, len(|line| matches!(line, Line::New(_)))),
                range(new, len(|line| matches!(line, Line::Old(_)))),
            );
            // Writing to a string does not fail.
            let _ = writeln!(text, "@@ -{of_old} +{of_new} @@");
        }
        was_near = near;
        let (mark, content) = match line {
            Line::Same(content) => (' ', content),
            Line::Old(content) => ('-', content),
            Line::New(content) => ('+', content),
        };
        if near {
            let _ = writeln!(text, "{mark}{}", content.trim_end_matches('\n'));
            if !content.ends_with('\n') {
                text += "\\ No newline at end of file\n";
            }
        }
        old += usize::from(mark != '+');
        new += usize::from(mark != '-');
    }
    text
}

/// The first line of a hunk and its number of lines, as diff has them: without lines, the
/// line before it.
fn range(first: usize, len: usize) -> String {
    match len {
        0 => format!("{},0", first - 1),
        1 => first.to_string(),
        len => format!("{first},{len}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, MAX_CELLS};

    fn hunks(old: &[u8], new: &[u8]) -> Option<String> {
        super::hunks(old, new, &mut Budget::default())
    }

    #[test]
    fn hunks_are_those_of_diff() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\ni\n";
        let new = "a\nb\nc\nD\ne\nf\ng\nh\ni";
        let expected = "@@ -1,9 +1,9 @@\n a\n b\n c\n-d\n+D\n e\n f\n g\n h\n-i\n+i\n\\ No newline at end of file\n";
        assert_eq!(hunks(old.as_bytes(), new.as_bytes()).unwrap(), expected);
        assert_eq!(hunks(b"", b"x\n").unwrap(), "@@ -0,0 +1 @@\n+x\n");
        assert_eq!(hunks(b"x\n", b"x\n").unwrap(), "");
        assert_eq!(hunks(b"\xff", b"x"), None);
        assert_eq!(hunks(b"\0", b"x"), None);
    }

    #[test]
    fn far_changes_have_hunks_of_their_own() {
        let lines = |first: &str| format!("{first}\n{}last{first}\n", "same\n".repeat(20));
        let text = hunks(lines("a").as_bytes(), lines("b").as_bytes()).unwrap();
        assert_eq!(text.matches("@@ -").count(), 2, "{text}");
        assert!(text.contains("@@ -19,4 +19,4 @@"), "{text}");
        // However long both are.
        let long = |word: &str| (0..5000).map(|n| format!("{word}{n}\n")).collect::<String>();
        let text = hunks(long("a").as_bytes(), long("b").as_bytes()).unwrap();
        assert_eq!(text.lines().count(), 10_001);
    }
    #[test]
    fn many_files_are_no_more_work_than_a_few() {
        let lines =
            |word: &str| (0..1000).map(|n| format!("{word}{n}\nsame\n")).collect::<String>();
        let (old, new) = (lines("a"), lines("b"));
        let mut budget = Budget(MAX_CELLS);
        let count = |budget: &mut Budget| {
            let text = super::hunks(old.as_bytes(), new.as_bytes(), budget).unwrap();
            text.lines().filter(|line| line.starts_with(' ')).count()
        };
        // The lines that stayed are found once, and then nobody looks for them any more.
        assert_eq!((count(&mut budget), count(&mut budget)), (1000, 1));
    }
}
