//! Sets of terminals, as bits over their [ordinals](super::ordinals).

/// A set of ordinals. It takes one bit for each ordinal up to the largest that was ever in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Bitmap {
    words: Vec<u64>,
}

impl Bitmap {
    pub(super) fn contains(&self, ordinal: u32) -> bool {
        let (word, bit) = place(ordinal);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Adds an ordinal. Returns whether it is new.
    pub(super) fn insert(&mut self, ordinal: u32) -> bool {
        let (word, bit) = place(ordinal);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        is_new
    }

    pub(super) fn remove(&mut self, ordinal: u32) {
        let (word, bit) = place(ordinal);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
        }
    }

    /// The number of ordinals in the set.
    pub(super) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// The number of ordinals that are in both sets.
    pub(super) fn count_common(&self, other: &Self) -> u64 {
        self.words.iter().zip(&other.words).map(|(one, other)| u64::from((one & other).count_ones())).sum()
    }

    /// The ordinals that are in both sets.
    pub(super) fn intersection(&self, other: &Self) -> Self {
        Self { words: self.words.iter().zip(&other.words).map(|(one, other)| one & other).collect() }
    }

    /// Adds the ordinals of `more`.
    pub(super) fn add(&mut self, more: &Self) {
        if self.words.len() < more.words.len() {
            self.words.resize(more.words.len(), 0);
        }
        self.words.iter_mut().zip(&more.words).for_each(|(word, more)| *word |= more);
    }

    /// The ordinals that are not in `other`.
    pub(super) fn difference(&self, other: &Self) -> Self {
        let others = other.words.iter().chain(std::iter::repeat(&0));
        Self { words: self.words.iter().zip(others).map(|(word, other)| word & !other).collect() }
    }

    /// Adds the ordinals of `more` that are in `within`. Returns the number of those that are new.
    pub(super) fn add_within(&mut self, more: &Self, within: &Self) -> u64 {
        let common = more.words.len().min(within.words.len());
        if self.words.len() < common {
            self.words.resize(common, 0);
        }
        let mut new = 0;
        for ((word, more), within) in self.words.iter_mut().zip(&more.words).zip(&within.words) {
            let added = more & within & !*word;
            new += u64::from(added.count_ones());
            *word |= added;
        }
        new
    }

    /// The ordinals, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        (0u32..).zip(&self.words).flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(at * u64::BITS + bit)
            })
        })
    }

    /// The bytes of the bits.
    pub(super) fn bytes(&self) -> u64 {
        self.words.len() as u64 * 8
    }
}

impl FromIterator<u32> for Bitmap {
    fn from_iter<T: IntoIterator<Item = u32>>(ordinals: T) -> Self {
        let mut set = Self::default();
        ordinals.into_iter().for_each(|ordinal| _ = set.insert(ordinal));
        set
    }
}

/// The index of an ordinal's word, and its bit there.
fn place(ordinal: u32) -> (usize, u64) {
    ((ordinal / u64::BITS) as usize, 1 << (ordinal % u64::BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ordinals: &[u32]) -> Bitmap {
        ordinals.iter().copied().collect()
    }

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let mut few = set(&[0, 63, 64, 400]);
        assert_eq!(few.iter().collect::<Vec<_>>(), [0, 63, 64, 400]);
        assert!(!few.insert(64) && few.insert(65));
        few.remove(63);
        few.remove(10_000);
        assert_eq!((few.count(), few.contains(63), few.contains(65), few.contains(9_999)), (4, false, true, false));
    }

    #[test]
    fn sets_of_different_sizes_are_combined() {
        let (small, large) = (set(&[1, 2]), set(&[2, 200, 300]));
        assert_eq!((small.count_common(&large), large.count_common(&small)), (1, 1));
        assert_eq!(large.intersection(&small).iter().collect::<Vec<_>>(), [2]);
        assert_eq!(large.difference(&small).iter().collect::<Vec<_>>(), [200, 300]);
        assert_eq!(small.difference(&large).iter().collect::<Vec<_>>(), [1]);
        let mut sum = small.clone();
        sum.add(&large);
        assert_eq!(sum.iter().collect::<Vec<_>>(), [1, 2, 200, 300]);
        let mut all = small.clone();
        assert_eq!(all.add_within(&large, &set(&[2, 300, 900])), 1);
        assert_eq!(all.iter().collect::<Vec<_>>(), [1, 2, 300]);
    }
}
