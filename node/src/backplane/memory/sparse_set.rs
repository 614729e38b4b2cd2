//! Sets of terminals of which most are small.

use super::bitmap::Bitmap;

/// Up to so many ordinals stand in a list. A bitmap would take more with most fleets.
const FEW_MAX: usize = 256;

/// A set of ordinals that takes little room if it has few.
#[derive(Debug)]
pub(super) enum SparseSet {
    /// Ascending.
    Few(Vec<u32>),
    Many(Bitmap),
}

impl Default for SparseSet {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl SparseSet {
    pub(super) fn insert(&mut self, ordinal: u32) {
        match self {
            Self::Many(bits) => _ = bits.insert(ordinal),
            Self::Few(list) => {
                let Err(place) = list.binary_search(&ordinal) else { return };
                list.insert(place, ordinal);
                if list.len() > FEW_MAX {
                    *self = Self::Many(list.iter().copied().collect());
                }
            }
        }
    }

    /// Removes an ordinal. A set that had many stays a bitmap until it is empty.
    pub(super) fn remove(&mut self, ordinal: u32) {
        match self {
            Self::Many(bits) => bits.remove(ordinal),
            Self::Few(list) => {
                if let Ok(place) = list.binary_search(&ordinal) {
                    list.remove(place);
                }
            }
        }
    }

    /// The number of ordinals.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Many(bits) => bits.count(),
            Self::Few(list) => list.len() as u64,
        }
    }

    /// The set as a bitmap.
    pub(super) fn bitmap(&self) -> Bitmap {
        match self {
            Self::Many(bits) => bits.clone(),
            Self::Few(list) => list.iter().copied().collect(),
        }
    }

    /// Adds the ordinals to `all`.
    pub(super) fn add_to(&self, all: &mut Bitmap) {
        match self {
            Self::Many(bits) => all.add(bits),
            Self::Few(list) => list.iter().for_each(|ordinal| _ = all.insert(*ordinal)),
        }
    }

    /// The ordinals that are also in `other`.
    pub(super) fn intersection(&self, other: &Bitmap) -> Bitmap {
        match self {
            Self::Many(bits) => bits.intersection(other),
            Self::Few(list) => list.iter().copied().filter(|ordinal| other.contains(*ordinal)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_means_the_same_as_a_list_and_as_a_bitmap() {
        let mut set = SparseSet::default();
        let max = FEW_MAX as u32;
        (0..=max).rev().for_each(|ordinal| set.insert(3 * ordinal));
        assert!(matches!(set, SparseSet::Many(_)));
        let odd: Bitmap = (0..max).map(|ordinal| 2 * ordinal).collect();
        let common = set.intersection(&odd).count();
        (max / 2..=max).for_each(|ordinal| set.remove(3 * ordinal));
        let mut few = SparseSet::default();
        (0..max / 2).for_each(|ordinal| few.insert(3 * ordinal));
        few.insert(0);
        few.remove(1);
        assert!(matches!(few, SparseSet::Few(_)));
        assert!(few.bitmap().iter().eq(set.bitmap().iter()));
        assert_eq!((few.count(), set.count(), common), (u64::from(max / 2), u64::from(max / 2), 86));
    }
}
