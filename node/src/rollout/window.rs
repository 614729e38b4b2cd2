//! Whether a window of time is open.

use jiff::{Timestamp, civil::Weekday, tz::TimeZone};
use muster_protocol::api::{TimeWindow, WindowDay};

/// The time zone of this name in the database of the system.
///
/// # Errors
/// A sentence that names the field.
pub fn time_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| {
        format!(
            "window.zone: this node knows no time zone {name:?}; give a name of the IANA database, such as Asia/Shanghai"
        )
    })
}

/// Whether a window is open at this time. One whose time zone is not known is closed.
pub fn is_open(window: Option<&TimeWindow>, now: Timestamp) -> bool {
    let Some(window) = window else { return true };
    time_zone(&window.zone).is_ok_and(|zone| is_open_in(window, now, zone))
}

fn is_open_in(window: &TimeWindow, now: Timestamp, zone: TimeZone) -> bool {
    let now = now.to_zoned_datetime(zone);
    let minutes = u16::from(now.hour().unsigned_abs()) * 60 + u16::from(now.minute().unsigned_abs());
    let (from, to) = (window.from.minutes(), window.to.minutes());
    let (today, yesterday) = (now.weekday(), now.weekday().previous());
    if from < to {
        return opens_on(window, today) && (from..to).contains(&minutes);
    }
    // It closes on the next day.
    (opens_on(window, today) && minutes >= from) || (opens_on(window, yesterday) && minutes < to)
}

fn opens_on(window: &TimeWindow, day: Weekday) -> bool {
    let day = match day {
        Weekday::Monday => WindowDay::Mon,
        Weekday::Tuesday => WindowDay::Tue,
        Weekday::Wednesday => WindowDay::Wed,
        Weekday::Thursday => WindowDay::Thu,
        Weekday::Friday => WindowDay::Fri,
        Weekday::Saturday => WindowDay::Sat,
        Weekday::Sunday => WindowDay::Sun,
    };
    window.days.is_empty() || window.days.contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(days: &[WindowDay], from: &str, to: &str, at: &str) -> bool {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        let window = TimeWindow { days: days.to_vec(), from, to, zone: "UTC".into() };
        is_open(Some(&window), at.parse().unwrap())
    }

    #[test]
    fn a_window_is_open_from_its_first_minute_up_to_its_last() {
        // 2026-11-28 is a Saturday.
        let saturday = [WindowDay::Sat];
        for (at, expected) in [
            ("2026-11-28T07:59:59Z", false),
            ("2026-11-28T08:00:00Z", true),
            ("2026-11-28T09:29:59Z", true),
            ("2026-11-28T09:30:00Z", false),
            ("2026-11-27T08:30:00Z", false),
        ] {
            assert_eq!(open(&saturday, "08:00", "09:30", at), expected, "{at}");
        }
        assert!(open(&[], "08:00", "09:30", "2026-11-27T08:30:00Z") && is_open(None, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_opens() {
        let saturday = [WindowDay::Sat];
        for (at, expected) in [
            ("2026-11-28T21:59:59Z", false),
            ("2026-11-28T22:00:00Z", true),
            ("2026-11-29T05:59:59Z", true),
            ("2026-11-29T06:00:00Z", false),
            ("2026-11-28T05:00:00Z", false),
            ("2026-11-29T22:00:00Z", false),
        ] {
            assert_eq!(open(&saturday, "22:00", "06:00", at), expected, "{at}");
        }
        assert!(open(&saturday, "00:00", "00:00", "2026-11-28T13:00:00Z"), "a whole day");
    }

    #[test]
    fn a_zone_that_is_not_known_is_named() {
        assert!(time_zone("Mars/Olympus").unwrap_err().contains("Mars/Olympus"));
    }
}
