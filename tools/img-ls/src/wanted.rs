//! The rows that operands ask for: names as they stand, or repositories with or without
//! their tags.

use std::collections::HashMap;

use common::store::Name;

use crate::rows::Row;

/// Operands, looked up from the rows, which may be many more.
pub(crate) struct Wanted<'c> {
    by_name: HashMap<String, Vec<usize>>,
    by_repository: HashMap<String, Vec<usize>>,
    operands: Vec<(&'c str, bool)>,
}

impl<'c> Wanted<'c> {
    pub(crate) fn new(operands: &'c [String]) -> Self {
        let (mut by_name, mut by_repository) = (HashMap::new(), HashMap::new());
        let wants = |map: &mut HashMap<String, Vec<usize>>, key: String, at| {
            map.entry(key).or_default().push(at);
        };
        for (at, text) in operands.iter().enumerate() {
            wants(&mut by_name, text.clone(), at);
            match text.parse::<Name>() {
                Ok(name) if text.ends_with(&format!(":{}", name.tag())) => {
                    wants(&mut by_name, name.to_string(), at);
                }
                Ok(name) => wants(&mut by_repository, name.repository().to_owned(), at),
                Err(_) => {}
            }
        }
        let operands = operands.iter().map(|text| (text.as_str(), false)).collect();
        Self { by_name, by_repository, operands }
    }

    /// Whether an operand means this row.
    pub(crate) fn takes(&mut self, row: &Row) -> bool {
        let Some(name) = &row.name else { return false };
        let (repository, _) = row.repository_and_tag();
        let mut taken = false;
        let named = self.by_name.get(name).into_iter();
        for &at in named.chain(self.by_repository.get(repository)).flatten() {
            if let Some((_, found)) = self.operands.get_mut(at) {
                *found = true;
            }
            taken = true;
        }
        taken
    }

    /// The operands that meant no row.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &'c str> {
        self.operands.iter().filter(|(_, found)| !found).map(|(text, _)| *text)
    }
}
