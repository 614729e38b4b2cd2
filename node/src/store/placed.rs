//! Where each terminal of the old store is in the new one.

use std::collections::BTreeMap;

use super::lines::ManyLine;
use crate::backplane::redis::partition::{bitmap, times};

/// The most ordinals of a partition.
const ORDINALS_MAX: u32 = 1 << 26;

/// Partitions and ordinals of the new store, by those of the old one. Takes 8 bytes for each terminal.
#[derive(Default)]
pub struct PlacedOrdinals(Vec<Vec<u64>>);

/// The part of a bucket of targets that lies in one partition of the new store.
#[derive(Default)]
pub struct PlacedTargets {
    targets: Vec<u32>,
    levels: Vec<Vec<u32>>,
    /// The first time of each level and ordinal.
    times: BTreeMap<(u8, u32), u32>,
}

impl PlacedOrdinals {
    /// Records where a terminal is now. False if the ordinal is greater than a partition has.
    pub fn put(&mut self, old: (u16, u32), new: (u16, u32)) -> bool {
        let (partition, ordinal) = (usize::from(old.0), old.1 as usize);
        if old.1 >= ORDINALS_MAX {
            return false;
        }
        if self.0.len() <= partition {
            self.0.resize(partition + 1, Vec::new());
        }
        let places = &mut self.0[partition];
        if places.len() <= ordinal {
            places.resize(ordinal + 1, 0);
        }
        // 0 is none.
        places[ordinal] = (u64::from(new.0) << 32 | u64::from(new.1)) + 1;
        true
    }

    /// Where a terminal is now. None if it is not in the file.
    pub fn get(&self, partition: u16, ordinal: u32) -> Option<(u16, u32)> {
        let place = self.0.get(usize::from(partition))?.get(ordinal as usize)?.checked_sub(1)?;
        Some(((place >> 32) as u16, place as u32))
    }

    /// Divides a bucket of targets by the partitions of the new store.
    pub fn divide(&self, line: &ManyLine) -> BTreeMap<u16, PlacedTargets> {
        let mut parts: BTreeMap<u16, PlacedTargets> = BTreeMap::new();
        let place = |place: u32| self.get(line.p, line.bucket * times::BUCKET + place);
        let count = line.levels.len();
        for (new, ordinal) in bitmap::ordinals(&line.targets.0).filter_map(place) {
            let part = parts.entry(new).or_default();
            part.levels.resize(count, Vec::new());
            part.targets.push(ordinal);
        }
        for (level, bits) in line.levels.iter().enumerate() {
            for (new, ordinal) in bitmap::ordinals(&bits.0).filter_map(place) {
                if let Some(part) = parts.get_mut(&new) {
                    part.levels[level].push(ordinal);
                }
            }
        }
        times::read(&line.times.0, |at, level, ms| {
            if let Some((new, ordinal)) = place(at)
                && let Some(part) = parts.get_mut(&new)
            {
                part.times.entry((level, ordinal)).or_insert(ms);
            }
        });
        parts
    }
}

impl PlacedTargets {
    /// The byte at which the bitmaps begin, the bitmap of the targets, and that of each level.
    pub fn bitmaps(&self) -> (usize, Vec<u8>, Vec<Vec<u8>>) {
        let offset = self.targets.iter().min().map_or(0, |first| first / 8);
        let bits = |ordinals: &[u32]| bitmap::bitmap(ordinals.iter().map(|ordinal| ordinal - offset * 8));
        (offset as usize, bits(&self.targets), self.levels.iter().map(|level| bits(level)).collect())
    }

    /// When targets reached states, as entries by bucket.
    pub fn entries(&self) -> Vec<(u32, Vec<u8>)> {
        let mut levels: BTreeMap<u8, Vec<(u32, u32)>> = BTreeMap::new();
        for ((level, ordinal), ms) in &self.times {
            levels.entry(*level).or_default().push((*ordinal, *ms));
        }
        levels.iter().flat_map(|(level, targets)| times::entries(*level, targets)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::base64::PackedBytes;

    #[test]
    fn targets_keep_their_states_and_times_where_they_are_placed() {
        let mut placed = PlacedOrdinals::default();
        // Ordinals 4096 to 4105 of partition 2, by turns in partitions 0 and 7.
        for place in 0..10 {
            let new = if place % 2 == 0 { (0, 100 + place / 2) } else { (7, place / 2) };
            assert!(placed.put((2, 4096 + place), new));
        }
        let bits = |ordinals: &[u32]| PackedBytes(bitmap::bitmap(ordinals.iter().copied()));
        let mut times = times::entries(1, &[(0, 5), (1, 6), (9, 7)]).remove(&0).unwrap();
        times.extend(times::entries(1, &[(0, 99)]).remove(&0).unwrap());
        let levels = vec![bits(&[0, 1, 9]), bits(&[9])];
        let line = ManyLine { p: 2, bucket: 1, targets: bits(&[0, 1, 4, 9, 11]), levels, times: PackedBytes(times) };
        let parts = placed.divide(&line);
        assert_eq!(
            parts.keys().copied().collect::<Vec<_>>(),
            [0, 7],
            "a terminal that is not in the file is no target"
        );
        let (offset, targets, levels) = parts[&0].bitmaps();
        assert_eq!((offset, bitmap::ordinals(&targets).collect::<Vec<_>>()), (12, vec![4, 6]));
        assert_eq!(bitmap::ordinals(&levels[0]).collect::<Vec<_>>(), [4]);
        let mut told = Vec::new();
        for (bucket, entry) in parts[&7].entries() {
            times::read(&entry, |place, level, ms| told.push((bucket, place, level, ms)));
        }
        assert_eq!(told, [(0, 0, 1, 6), (0, 4, 1, 7)]);
        assert_eq!(parts[&0].times[&(1, 100)], 5, "the first time counts");
    }
}
