//! How far a follower of all events has come, as one text.

use std::{collections::BTreeMap, fmt, ops::RangeInclusive, str::FromStr};

use muster_protocol::partition::{PartitionIndex, Partitions};

use crate::backplane::BackplaneError;

/// A place in the order of all events, `MS-COUNT`, and how far each partition was read that is behind it because it was
/// away: `MS-COUNT~MS-COUNT:INDEX,INDEX-INDEX`. It is an event's id. Partitions of one master lie beside each other and
/// go away together, so ranges keep the text short.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventToken {
    /// The place in the events of all partitions that are not behind.
    pub place: EventPlace,
    /// Partitions that are behind: their events after these places were not given out.
    pub behind: BTreeMap<PartitionIndex, EventPlace>,
}

/// A place in the order of events: everything before this millisecond, and so many events of it, were given out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPlace {
    /// Milliseconds since 1970, by the clock of Redis.
    pub ms: u64,
    /// How many events of this millisecond were given out. 0 if it is not known that there are more of the millisecond
    /// before.
    pub count: u64,
}

impl EventToken {
    /// Returns a token with this place, and no partition behind it.
    pub fn at(ms: u64) -> Self {
        Self { place: EventPlace::at(ms), behind: BTreeMap::new() }
    }

    /// Returns how far a partition was read.
    pub fn place_of(&self, partition: PartitionIndex) -> EventPlace {
        self.behind.get(&partition).copied().unwrap_or(self.place)
    }

    /// Records how far a partition that is behind was read. A partition that has come as far as all others is not
    /// behind any more.
    pub fn set_behind(&mut self, partition: PartitionIndex, place: EventPlace) {
        if place < self.place {
            self.behind.insert(partition, place);
        } else {
            self.behind.remove(&partition);
        }
    }

    /// Leaves partitions behind that are away and were not behind. Of a millisecond that was given out in part nobody
    /// knows whose events those were, so it is given out again: an event may come twice, and none is missed.
    pub fn leave_behind(&mut self, away: &[PartitionIndex]) {
        let new: Vec<_> = away.iter().copied().filter(|index| !self.behind.contains_key(index)).collect();
        if !new.is_empty() {
            self.place.count = 0;
            self.behind.extend(new.into_iter().map(|index| (index, self.place)));
        }
    }
}

impl EventPlace {
    /// Returns the place before all events of this millisecond.
    pub fn at(ms: u64) -> Self {
        Self { ms, count: 0 }
    }

    /// Returns the place behind the next event, which is of the millisecond `ms`, if this is the place behind the event
    /// before it.
    pub fn next(self, ms: u64) -> Self {
        Self { ms, count: if self.ms == ms { self.count + 1 } else { 1 } }
    }
}

impl FromStr for EventPlace {
    type Err = BackplaneError;

    fn from_str(text: &str) -> Result<Self, BackplaneError> {
        let (ms, count) = text.split_once('-').ok_or(BackplaneError::NoCursor)?;
        let number = |text: &str| text.parse().map_err(|_| BackplaneError::NoCursor);
        Ok(Self { ms: number(ms)?, count: number(count)? })
    }
}

impl fmt::Display for EventPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.count)
    }
}

impl FromStr for EventToken {
    type Err = BackplaneError;

    fn from_str(text: &str) -> Result<Self, BackplaneError> {
        let mut parts = text.split('~');
        let mut token = Self { place: parts.next().unwrap_or_default().parse()?, behind: BTreeMap::new() };
        for part in parts {
            let (place, partitions) = part.split_once(':').ok_or(BackplaneError::NoCursor)?;
            let place = place.parse()?;
            for range in partitions.split(',') {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                let index = |text: &str| text.parse::<u16>().ok().filter(|index| *index < Partitions::MAX);
                let (first, last) = index(first).zip(index(last)).ok_or(BackplaneError::NoCursor)?;
                for index in first..=last {
                    // A token names a partition once. Otherwise a text of some KiB would have a node insert a million
                    // places.
                    if token.behind.insert(PartitionIndex(index), place).is_some() {
                        return Err(BackplaneError::NoCursor);
                    }
                }
            }
        }
        Ok(token)
    }
}

impl fmt::Display for EventToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        let mut by_place: BTreeMap<EventPlace, Vec<RangeInclusive<u16>>> = BTreeMap::new();
        for (index, place) in &self.behind {
            let ranges = by_place.entry(*place).or_default();
            match ranges.last_mut() {
                Some(last) if last.end() + 1 == index.0 => *last = *last.start()..=index.0,
                _ => ranges.push(index.0..=index.0),
            }
        }
        by_place.iter().try_for_each(|(place, ranges)| {
            let ranges = ranges.iter().map(|range| match (range.start(), range.end()) {
                (first, last) if first == last => first.to_string(),
                (first, last) => format!("{first}-{last}"),
            });
            write!(f, "~{place}:{}", ranges.collect::<Vec<_>>().join(","))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_only_what_was_given_out() {
        for text in ["5-0", "5-2~4-0:1", "5-2~3-7:0-2,5~4-0:3,9-11"] {
            assert_eq!(text.parse::<EventToken>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "7",
            "x-1",
            "1-",
            "1-2-3",
            "1-2~",
            "1-2~1-0",
            "1-2~1-0:",
            "1-2~1-0:x",
            "1-2~1-0:1024",
            "1-2~1:3",
            "1-2~1-0:3,3",
        ] {
            assert!(text.parse::<EventToken>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_partition_that_goes_away_is_behind_until_it_has_come_as_far_as_the_others() {
        let (mut token, one, two): (EventToken, _, _) = ("5-2".parse().unwrap(), PartitionIndex(1), PartitionIndex(2));
        token.leave_behind(&[two]);
        assert_eq!(token.to_string(), "5-0~5-0:2", "of that millisecond it is not known what was given out");
        token.place = EventPlace::at(9);
        token.leave_behind(&[one, two]);
        assert_eq!(token.to_string(), "9-0~5-0:2~9-0:1");
        token.set_behind(two, EventPlace { ms: 7, count: 1 });
        assert_eq!(token.to_string(), "9-0~7-1:2~9-0:1");
        token.set_behind(two, EventPlace::at(9));
        assert_eq!(token.to_string(), "9-0~9-0:1");
    }
}
