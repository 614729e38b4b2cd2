//! A set of small numbers, one bit each.

/// A set of numbers below a size that is set when it is made.
#[derive(Debug, Default)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// Returns an empty set of numbers below `size`.
    pub fn new(size: usize) -> Self {
        Self(vec![0; size.div_ceil(64)])
    }

    /// Returns whether the set has this number. Panics if the number is not below the size.
    pub fn has(&self, number: usize) -> bool {
        self.0[number / 64] >> (number % 64) & 1 == 1
    }

    /// Adds a number. Panics if the number is not below the size.
    pub fn add(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_in_the_set_once_it_was_added() {
        let mut bits = Bits::new(130);
        bits.add(129);
        assert!(bits.has(129) && !bits.has(128) && !bits.has(65));
    }
}
