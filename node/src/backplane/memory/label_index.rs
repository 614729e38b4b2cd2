//! Which terminals have a label, so that a selector by labels costs no look at each terminal.

use std::collections::BTreeMap;

use muster_protocol::selector::Labels;

use super::{bitmap::Bitmap, sparse_set::SparseSet};

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

    /// The number of terminals with each label, as `key=value`.
    pub(super) fn counts(&self) -> impl Iterator<Item = (String, u64)> {
        let of_key = |(key, values): (&'_ String, &'_ BTreeMap<String, SparseSet>)| {
            values.iter().map(|(value, set)| (format!("{key}={value}"), set.count())).collect::<Vec<_>>()
        };
        self.sets.iter().flat_map(of_key)
    }
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
}
