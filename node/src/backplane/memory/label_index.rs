//! Which terminals have a label, so that a selector by labels costs no look at each terminal.

use std::collections::BTreeMap;

use muster_protocol::selector::Labels;

use super::{bitmap::Bitmap, sparse_set::SparseSet};
use crate::backplane::BackplaneError;

/// The most values of a key by which an expression selects, as in a partition of Redis.
const VALUES_MAX: usize = 1000;

/// The ordinals of terminals by the labels that select them.
#[derive(Debug, Default)]
pub(super) struct LabelIndex {
    /// By key and value. No set here is empty.
    sets: BTreeMap<String, BTreeMap<String, SparseSet>>,
}

impl LabelIndex {
    /// Adds a terminal with these labels.
    pub(super) fn insert(&mut self, ordinal: u32, labels: &Labels) {
        for (key, value) in labels {
            if let Some(set) = self.sets.get_mut(key).and_then(|values| values.get_mut(value)) {
                set.insert(ordinal);
                continue;
            }
            self.sets.entry(key.clone()).or_default().entry(value.clone()).or_default().insert(ordinal);
        }
    }

    /// Removes a terminal, which had these labels.
    pub(super) fn remove(&mut self, ordinal: u32, labels: &Labels) {
        for (key, value) in labels {
            let Some(values) = self.sets.get_mut(key) else { continue };
            let Some(set) = values.get_mut(value) else { continue };
            set.remove(ordinal);
            if set.count() == 0 {
                values.remove(value);
                if values.is_empty() {
                    self.sets.remove(key);
                }
            }
        }
    }

    /// The terminals that have all of these labels, of which there is at least one.
    pub(super) fn select(&self, labels: &Labels) -> Bitmap {
        let mut selected: Option<Bitmap> = None;
        for (key, value) in labels {
            let Some(set) = self.sets.get(key).and_then(|values| values.get(value)) else { return Bitmap::default() };
            selected = Some(selected.map_or_else(|| set.bitmap(), |selected| set.intersection(&selected)));
        }
        selected.unwrap_or_default()
    }

    /// The terminals that have this key.
    pub(super) fn with_key(&self, key: &str) -> Bitmap {
        let sets = self.sets.get(key).into_iter().flat_map(BTreeMap::values);
        union(sets)
    }

    /// The terminals with a value of this key that is wanted.
    ///
    /// # Errors
    /// [`LeftOut`](BackplaneError::LeftOut) if the key has more than 1,000 values.
    pub(super) fn with_value(&self, key: &str, is_wanted: impl Fn(&str) -> bool) -> Result<Bitmap, BackplaneError> {
        let Some(values) = self.sets.get(key) else { return Ok(Bitmap::default()) };
        if values.len() > VALUES_MAX {
            return Err(BackplaneError::LeftOut(key.to_owned()));
        }
        Ok(union(values.iter().filter(|(value, _)| is_wanted(value)).map(|(_, set)| set)))
    }

    /// The number of terminals with each label, as `key=value`.
    pub(super) fn counts(&self) -> impl Iterator<Item = (String, u64)> {
        let of_key = |(key, values): (&'_ String, &'_ BTreeMap<String, SparseSet>)| {
            values.iter().map(|(value, set)| (format!("{key}={value}"), set.count())).collect::<Vec<_>>()
        };
        self.sets.iter().flat_map(of_key)
    }
}

fn union<'a>(sets: impl Iterator<Item = &'a SparseSet>) -> Bitmap {
    let mut all = Bitmap::default();
    sets.for_each(|set| set.add_to(&mut all));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn all_labels_of_a_selector_count() {
        let mut index = LabelIndex::default();
        index.insert(1, &labels("site=a,kind=x"));
        index.insert(2, &labels("site=a,kind=y"));
        index.insert(70, &labels("site=b,kind=x"));
        let selected = |index: &LabelIndex, text| index.select(&labels(text)).iter().collect::<Vec<_>>();
        assert_eq!(selected(&index, "site=a"), [1, 2]);
        assert_eq!(selected(&index, "site=a,kind=x"), [1]);
        assert!(selected(&index, "site=a,kind=z").is_empty());
        index.remove(1, &labels("site=a,kind=x"));
        index.remove(70, &labels("site=b,kind=x"));
        assert_eq!(selected(&index, "site=a"), [2]);
        let counts: Vec<_> = index.counts().collect();
        assert_eq!(counts, [("kind=y".to_owned(), 1), ("site=a".to_owned(), 1)]);
    }

    #[test]
    fn terminals_are_found_by_a_key_and_by_some_of_its_values() {
        let mut index = LabelIndex::default();
        index.insert(1, &labels("site=bj-1"));
        index.insert(2, &labels("site=bj-2"));
        index.insert(3, &labels("site=sh,kind=x"));
        let found = |set: Bitmap| set.iter().collect::<Vec<_>>();
        assert_eq!(found(index.with_key("site")), [1, 2, 3]);
        assert_eq!(found(index.with_value("site", |value| value.starts_with("bj")).unwrap()), [1, 2]);
        assert!(found(index.with_key("floor")).is_empty());
        (4..1004).for_each(|ordinal| index.insert(ordinal, &labels(&format!("site={ordinal}"))));
        let refused = index.with_value("site", |_| true).map(found);
        assert_eq!(refused, Err(BackplaneError::LeftOut("site".into())));
        assert_eq!(index.with_key("site").count(), 1003);
    }
}
