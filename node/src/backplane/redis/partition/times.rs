//! When targets of a command for many reached states: entries that raise.lua appends to a bucket of 4,096 ordinals and
//! never reads.
//!
//! ```text
//!   entry    level and form (1 byte) · time of its first (4 bytes, ms since the time in the command's id) · length (2 bytes) · body
//!   form 0   body is a list of ascending places in the bucket that share the time: each the difference from the one before, 1 byte
//!            if it is below 255, else 255 and 2 bytes
//!   form 1   the same, and behind each 1 byte: how many ms later
//!   form 2   body is a bitmap of places that share the time, behind the 2 bytes that say where it begins, in bytes
//! ```

use std::collections::BTreeMap;

/// The ordinals of a bucket.
pub const BUCKET: u32 = 4096;
/// The most milliseconds between the times of one entry.
const WINDOW: u32 = 255;
const HEADER: usize = 7;
/// Differences from this on are written with 2 bytes more.
const LONG: u16 = 255;

/// Returns the entries for targets that reached a level, by bucket. `targets` has ordinals with times, in any order.
pub fn entries(level: u8, targets: &[(u32, u32)]) -> BTreeMap<u32, Vec<u8>> {
    let mut buckets: BTreeMap<u32, Vec<(u32, u16)>> = BTreeMap::new();
    for (ordinal, ms) in targets {
        buckets.entry(ordinal / BUCKET).or_default().push((*ms, (ordinal % BUCKET) as u16));
    }
    buckets.into_iter().map(|(bucket, mut places)| (bucket, bucket_entries(level, &mut places))).collect()
}

fn bucket_entries(level: u8, places: &mut [(u32, u16)]) -> Vec<u8> {
    places.sort_unstable();
    let (mut entries, mut rest) = (Vec::new(), places);
    while let Some(&mut (first, _)) = rest.first_mut() {
        let end = rest.partition_point(|(ms, _)| *ms - first <= WINDOW);
        let (window, after) = rest.split_at_mut(end);
        let together = window.iter().all(|(ms, _)| *ms == first);
        window.sort_unstable_by_key(|(_, place)| *place);
        let list = list(window, (!together).then_some(first));
        let (form, body) = match together.then(|| bits(window)).filter(|bits| bits.len() < list.len()) {
            Some(bits) => (2, bits),
            None => (u8::from(!together), list),
        };
        entries.push(level | form << 4);
        entries.extend(first.to_be_bytes());
        entries.extend((body.len() as u16).to_be_bytes());
        entries.extend(body);
        rest = after;
    }
    entries
}

/// Ascending places as differences; with `first`, each with its ms after that.
fn list(window: &[(u32, u16)], first: Option<u32>) -> Vec<u8> {
    let (mut body, mut before) = (Vec::new(), 0);
    for (ms, place) in window {
        match place - before {
            short if short < LONG => body.push(short as u8),
            long => {
                body.push(LONG as u8);
                body.extend(long.to_be_bytes());
            }
        }
        body.extend(first.map(|first| (ms - first) as u8));
        before = *place;
    }
    body
}

/// Ascending places as a bitmap.
fn bits(window: &[(u32, u16)]) -> Vec<u8> {
    let (first, last) = (window[0].1 / 8, window[window.len() - 1].1 / 8);
    let mut body = vec![0; 3 + usize::from(last - first)];
    body[..2].copy_from_slice(&first.to_be_bytes());
    for (_, place) in window {
        body[2 + usize::from(place / 8 - first)] |= 128 >> (place % 8);
    }
    body
}

/// Calls `visit(place, level, ms)` for all that the entries of a bucket have, in the order in which they were appended.
/// Reading ends where an entry is cut off.
pub fn read(mut bytes: &[u8], mut visit: impl FnMut(u32, u8, u32)) {
    while let Some((header, rest)) = bytes.split_at_checked(HEADER) {
        let (level, form) = (header[0] & 15, header[0] >> 4);
        let ms = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
        let Some((body, after)) = rest.split_at_checked(usize::from(u16::from_be_bytes([header[5], header[6]]))) else {
            return;
        };
        match form {
            2 => read_bits(body, |place| visit(place, level, ms)),
            _ => read_list(body, form == 1, |place, later| visit(place, level, ms + later)),
        }
        bytes = after;
    }
}

fn read_list(mut body: &[u8], timed: bool, mut visit: impl FnMut(u32, u32)) {
    let mut place = 0;
    while let Some((difference, rest)) = read_difference(body) {
        let Some((later, rest)) = rest.split_at_checked(usize::from(timed)) else { return };
        place += difference;
        visit(place, later.first().copied().unwrap_or_default().into());
        body = rest;
    }
}

fn read_difference(body: &[u8]) -> Option<(u32, &[u8])> {
    match body {
        [short, rest @ ..] if u16::from(*short) < LONG => Some((u32::from(*short), rest)),
        [_, high, low, rest @ ..] => Some((u32::from(u16::from_be_bytes([*high, *low])), rest)),
        _ => None,
    }
}

fn read_bits(body: &[u8], mut visit: impl FnMut(u32)) {
    let Some((first, bits)) = body.split_first_chunk() else { return };
    let first = u32::from(u16::from_be_bytes(*first)) * 8;
    for (at, byte) in bits.iter().enumerate() {
        let set = (0..8).filter(|bit| byte & (128 >> bit) != 0);
        set.for_each(|bit| visit(first + at as u32 * 8 + bit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(entries: &BTreeMap<u32, Vec<u8>>) -> Vec<(u32, u8, u32)> {
        let mut all = Vec::new();
        for (bucket, bytes) in entries {
            read(bytes, |place, level, ms| all.push((bucket * BUCKET + place, level, ms)));
        }
        all.sort_unstable();
        all
    }

    #[test]
    fn every_time_is_read_as_it_was_written() {
        let mut seed = 7_u32;
        let mut random = move |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % below
        };
        for (count, spread) in [(1, 1), (40, 1), (3000, 1), (40, 50), (3000, 2000)] {
            let targets: BTreeMap<u32, u32> = (0..count).map(|_| (random(10_000), 1000 + random(spread))).collect();
            let targets: Vec<_> = targets.into_iter().collect();
            let expected: Vec<_> = targets.iter().map(|(ordinal, ms)| (*ordinal, 2, *ms)).collect();
            assert_eq!(told(&entries(2, &targets)), expected, "{count} within {spread} ms");
        }
    }

    #[test]
    fn a_target_costs_a_bit_to_four_bytes() {
        let size = |targets: &[(u32, u32)]| entries(1, targets).values().map(Vec::len).sum::<usize>();
        let all: Vec<_> = (0..BUCKET).map(|ordinal| (ordinal, 5)).collect();
        assert_eq!(size(&all), 7 + 2 + 512);
        let few: Vec<_> = (0..10).map(|at| (at * 400, 5)).collect();
        assert_eq!(size(&few), 7 + 1 + 9 * 3);
        let apart: Vec<_> = (0..10).map(|at| (at * 400, at)).collect();
        assert_eq!(size(&apart), 7 + 2 + 9 * 4);
        let dense: Vec<_> = (0..200).map(|at| (at * 20, at)).collect();
        assert_eq!(size(&dense), 7 + 400);
    }

    #[test]
    fn what_is_cut_off_is_not_read() {
        let mut entries = entries(1, &[(0, 5), (4000, 5)]).remove(&0).unwrap();
        let whole = entries.clone();
        entries.extend(&whole[..8]);
        let mut count = 0;
        read(&entries, |_, _, _| count += 1);
        assert_eq!(count, 2);
    }
}
