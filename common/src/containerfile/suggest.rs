//! The word that was probably meant.

/// Words of more characters are not looked at: a comparison takes the product of two.
const MAX_LEN_CHARS: usize = 64;

/// The candidate that is nearest to a word, if one is near: a third of its characters, at
/// most, are wrong, missing, too many or exchanged.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let near = |candidate: &str| match candidate.chars().count() {
        len if len > MAX_LEN_CHARS || lower.len() > MAX_LEN_CHARS => None,
        len => {
            let far = distance(&lower, &candidate.to_lowercase());
            (far > 0 && far <= len.max(3) / 3).then_some(far)
        }
    };
    let found = candidates.into_iter().filter_map(|candidate| Some((near(candidate)?, candidate)));
    found.min_by_key(|(far, _)| *far).map(|(_, candidate)| candidate)
}

/// Returns the number of characters to replace, add, remove or swap to turn one word
/// into the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let first: Vec<usize> = (0..=other.len()).collect();
    let mut rows = vec![first];
    let get = |rows: &[Vec<usize>], row: usize, column: usize| {
        rows.get(row).and_then(|row| row.get(column)).copied().unwrap_or(usize::MAX / 2)
    };
    for (row, char) in one.iter().enumerate() {
        let mut costs = vec![row + 1];
        for (column, wanted) in other.iter().enumerate() {
            let replaced = get(&rows, row, column) + usize::from(char != wanted);
            let added = costs.last().copied().unwrap_or_default() + 1;
            let removed = get(&rows, row, column + 1) + 1;
            let is_exchanged = row > 0
                && column > 0
                && one.get(row - 1) == Some(wanted)
                && other.get(column - 1) == Some(char);
            let exchanged = match is_exchanged {
                true => get(&rows, row - 1, column - 1) + 1,
                false => usize::MAX,
            };
            costs.push(replaced.min(added).min(removed).min(exchanged));
        }
        rows.push(costs);
    }
    get(&rows, one.len(), other.len())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_word_with_a_typing_error_is_recognised() {
        let keywords = ["COPY", "RUN", "ENTRYPOINT", "ENV"];
        for (word, expected) in [
            ("COPPY", Some("COPY")),
            ("cpoy", Some("COPY")),
            ("RUNN", Some("RUN")),
            ("ENTRPOINT", Some("ENTRYPOINT")),
            ("COPY", None),
            ("FROBNICATE", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, keywords), expected, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), keywords), None);
    }
}
