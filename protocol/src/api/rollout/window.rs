//! The times of the week at which a rollout may send.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A time of the day on some days of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TimeWindow {
    /// The days on which the window opens; every day if empty.
    #[serde(default)]
    pub days: Vec<WindowDay>,
    /// When it opens.
    pub from: TimeOfDay,
    /// When it closes: on the next day if this is not later than `from`.
    pub to: TimeOfDay,
    /// The time zone, by its name in the IANA database, such as `Asia/Shanghai`.
    pub zone: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WindowDay {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// A time of the day, to a minute: `HH:MM` in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema), schemars(extend("pattern" = "^[0-2][0-9]:[0-5][0-9]$")))]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay {
    minutes: u16,
}

impl TimeOfDay {
    /// The minutes since midnight, below 1,440.
    pub fn minutes(self) -> u16 {
        self.minutes
    }
}

impl FromStr for TimeOfDay {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| {
            let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { text.parse::<u16>().ok() } else { None }
        };
        let parts = text.split_once(':').and_then(|(hours, minutes)| Some((number(hours)?, number(minutes)?)));
        match parts {
            Some((hours, minutes)) if hours < 24 && minutes < 60 => Ok(Self { minutes: hours * 60 + minutes }),
            _ => Err("a time of the day is HH:MM, from 00:00 to 23:59"),
        }
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_day_is_read_as_it_is_written() {
        for text in ["00:00", "07:30", "23:59"] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
        }
        for bad in ["", "7:30", "24:00", "12:60", "12", "12:3", "+1:00", "12:00:00"] {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad}");
        }
    }
}
