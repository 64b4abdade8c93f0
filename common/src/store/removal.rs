//! Names taken out of the index, many at once.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

use super::dir::Links;
use super::names::completed;
use super::write::Change;
use super::{Entries, Entry, Error, Name, Pruning, Store};
use crate::digest::Digest;
use crate::oci::Document;

/// The digits of a whole digest.
const WHOLE_LEN: usize = 64;

/// What was taken out of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A name.
    Name(String),
    /// An image without a name.
    Image(Digest),
}

impl Store {
    /// Removes for each text a name, or by its digest an image that has one name or none;
    /// returns what was removed for each. An image leaves the index with its last name. One
    /// text that cannot be removed does not keep the others.
    ///
    /// # Errors
    /// An index that cannot be read or written: nothing is removed. For each text: no such
    /// image; a digest whose image has several names.
    pub fn remove(
        &self,
        texts: &[String],
        pruning: Pruning,
    ) -> Result<Vec<Result<Removed, Error>>, Error> {
        let remove = |entries: &mut Entries| {
            let (removed, there) = {
                let mut removal = Removal::new(self, entries);
                (texts.iter().map(|text| removal.take(text)).collect(), removal.there)
            };
            let mut stay = there.into_iter();
            entries.retain(|_| stay.next().unwrap_or(true));
            Ok(removed)
        };
        match pruning {
            Pruning::Remove => self.update(Change::Remove, remove),
            Pruning::Tell => remove(&mut self.read_entries(Links::Follow)?),
        }
    }
}

/// A removal at work: entries are known by their place in the index.
struct Removal<'e> {
    store: &'e Store,
    entries: &'e Entries,
    /// Which entries have not been removed.
    there: Vec<bool>,
    by_name: HashMap<&'e str, Vec<usize>>,
    /// By the hexadecimal part, made once somebody asks for it, as the next one.
    by_digest: Option<BTreeMap<&'e str, Vec<usize>>>,
    /// Digests of images by those of their configs.
    by_config: Option<BTreeMap<String, Vec<&'e str>>>,
}

impl<'e> Removal<'e> {
    fn new(store: &'e Store, entries: &'e Entries) -> Self {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            if let Some(name) = entry.name {
                by_name.entry(name).or_default().push(at);
            }
        }
        let there = vec![true; entries.iter().len()];
        Self { store, entries, there, by_name, by_digest: None, by_config: None }
    }

    fn take(&mut self, text: &str) -> Result<Removed, Error> {
        let completed = completed(text);
        for name in completed.as_deref().into_iter().chain([text]) {
            let places = self.by_name.remove(name).unwrap_or_default();
            if self.take_all(&places) {
                return Ok(Removed::Name(name.to_owned()));
            }
        }
        let places = self.find(text)?;
        let entries: Vec<Entry<'_>> =
            places.iter().filter_map(|&at| self.entries.get(at)).collect();
        let names: Vec<&str> = entries.iter().filter_map(|entry| entry.name).collect();
        let removed = match (names.as_slice(), entries.first()) {
            (_, None) => return Err(self.store.no_image(text)),
            ([], Some(entry)) => Removed::Image(entry.descriptor()?.digest),
            ([name], _) => Removed::Name((*name).to_owned()),
            (several, Some(entry)) => {
                let (digest, names) = (entry.descriptor()?.digest, several.join(", "));
                return Err(Error::SeveralNames { digest, names });
            }
        };
        self.take_all(&places);
        Ok(removed)
    }

    /// Removes these entries; whether one of them was still there.
    fn take_all(&mut self, places: &[usize]) -> bool {
        let mut taken = false;
        for &at in places {
            if let Some(there) = self.there.get_mut(at) {
                taken |= std::mem::replace(there, false);
            }
        }
        taken
    }

    /// The entries of the one image that the beginning of a digest means.
    fn find(&mut self, text: &str) -> Result<Vec<usize>, Error> {
        // A word that could be a name must not remove what begins so.
        let is_digest = text.contains(':') || text.len() == WHOLE_LEN;
        if !is_digest && text.parse::<Name>().is_ok() {
            return Err(self.store.no_image(text));
        }
        let prefix = self.store.digest_prefix(text)?;
        let by_digest = self.by_digest.take().unwrap_or_else(|| by_digest(self.entries));
        let images = |hexes: &mut dyn Iterator<Item = &&str>| -> Vec<Vec<usize>> {
            let places = hexes.filter_map(|hex| by_digest.get(hex));
            let there = |at: &usize| self.there.get(*at).copied().unwrap_or(false);
            let there = places.map(|places| places.iter().copied().filter(there).collect());
            there.filter(|places: &Vec<usize>| !places.is_empty()).collect()
        };
        let mut found = images(&mut beginning(&by_digest, prefix).map(|(hex, _)| hex));
        if found.is_empty() {
            let by_config = self.by_config.take().unwrap_or_else(|| self.configs());
            found = images(&mut beginning(&by_config, prefix).flat_map(|(_, hexes)| hexes));
            self.by_config = Some(by_config);
        }
        self.by_digest = Some(by_digest);
        match (found.len(), found.pop()) {
            (1, Some(places)) => Ok(places),
            (0, _) => Err(self.store.no_image(text)),
            (count, _) => Err(Error::AmbiguousDigest { prefix: text.into(), count }),
        }
    }

    /// What cannot be read cannot be meant.
    fn configs(&self) -> BTreeMap<String, Vec<&'e str>> {
        let mut configs: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let mut seen = HashSet::new();
        for entry in self.entries.iter().filter(|entry| seen.insert(entry.digest)) {
            let document = entry.descriptor().and_then(|image| self.store.parsed(&image));
            if let Ok(Document::Manifest(manifest)) = document {
                let config = manifest.config.digest.hex().to_owned();
                configs.entry(config).or_default().push(entry.hex());
            }
        }
        configs
    }
}

fn by_digest(entries: &Entries) -> BTreeMap<&str, Vec<usize>> {
    let mut by_digest: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        by_digest.entry(entry.hex()).or_default().push(at);
    }
    by_digest
}

/// Those of the values whose keys begin so.
fn beginning<'m, K: Ord + Borrow<str>, V>(
    map: &'m BTreeMap<K, V>,
    prefix: &'m str,
) -> impl Iterator<Item = (&'m K, &'m V)> {
    let range = map.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
    range.take_while(move |(key, _)| (*key).borrow().starts_with(prefix))
}
