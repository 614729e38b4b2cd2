//! Reads DER (X.690), the encoding of certificates, field by field.

/// What is left to read of the contents of a field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Der<'a>(pub(super) &'a [u8]);

impl<'a> Der<'a> {
    /// Reads the next field: its tag and contents. `None` if there is none or it is cut off. A tag of several bytes, which no
    /// certificate has, is read as a field of its own.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let [tag, length, rest @ ..] = self.0 else { return None };
        let (length, rest) = match usize::from(*length) {
            short @ 0..=0x7f => (short, rest),
            // The number of bytes of the length follows. Four are enough for any certificate; none would be the indefinite form,
            // which DER does not have.
            long @ 0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, contents))
    }

    /// Reads the next field, if its tag is this one.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().and_then(|(found, contents)| (found == tag).then_some(contents))
    }

    /// Reads the next field if there is one: `Some(None)` at the end, `None` if it is cut off.
    pub(super) fn maybe_next(&mut self) -> Option<Option<(u8, &'a [u8])>> {
        if self.0.is_empty() { Some(None) } else { self.next().map(Some) }
    }

    /// The same of a field that must have this tag.
    pub(super) fn more(&mut self, tag: u8) -> Option<Option<&'a [u8]>> {
        if self.0.is_empty() { Some(None) } else { self.expect(tag).map(Some) }
    }
}
