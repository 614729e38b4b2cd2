//! Bitmaps as Redis has them: bit 0 is the highest bit of the first byte.

/// Returns the bitmap of these ordinals, without zero bytes at its end.
pub fn bitmap(ordinals: impl IntoIterator<Item = u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for ordinal in ordinals {
        let at = (ordinal / 8) as usize;
        if bytes.len() <= at {
            bytes.resize(at + 1, 0);
        }
        bytes[at] |= 128 >> (ordinal % 8);
    }
    bytes
}

/// Returns the ordinals in a bitmap, in ascending order.
pub fn ordinals(bitmap: &[u8]) -> impl Iterator<Item = u32> {
    (0..).zip(bitmap).filter(|(_, byte)| **byte != 0).flat_map(|(at, byte)| {
        let byte = *byte;
        (0..8u32).filter(move |place| byte & (128 >> place) != 0).map(move |place| at * 8 + place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bitmap_has_the_ordinals_that_it_is_made_of() {
        let all = [0, 7, 8, 17, 400];
        let bytes = bitmap(all);
        assert_eq!((bytes.len(), &bytes[..3]), (51, &[0x81, 0x80, 0x40][..]));
        assert_eq!(ordinals(&bytes).collect::<Vec<_>>(), all);
        assert!(bitmap([]).is_empty());
    }
}
