//! The bounds of what a request for a rollout may say.

use std::{ops::RangeInclusive, time::Duration};

use hyper::{Response, StatusCode};
use jiff::Timestamp;
use muster_protocol::api::{RolloutRequest, WaveRequest, WaveSize};

use super::command_of;
use crate::{
    backplane::ROLLOUT_BYTES,
    http::{
        answer::{Body, problem},
        command_bounds::{self, RATES},
        request::bad,
    },
    rollout::time_zone,
};

/// The most waves.
const WAVES_MAX: usize = 20;
/// The most days of a window.
const DAYS_MAX: usize = 7;
/// The longest `advance.within`.
const WITHIN_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// How far ahead a rollout may start.
const AHEAD_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// The most bytes of a request, as it is stored.
const REQUEST_MAX: usize = ROLLOUT_BYTES / 4;
/// What a share may be.
const SHARES: RangeInclusive<f64> = 0.0..=1.0;

/// Whether a request keeps within these bounds, and those of its command.
///
/// # Errors
/// A refusal that names the field and its bound: 413 for too many bytes, 400 for the others.
pub fn check(asked: &RolloutRequest, now: Timestamp) -> Result<(), Response<Body>> {
    command_bounds::check(&command_of(asked))?;
    check_waves(&asked.waves).map_err(bad)?;
    check_rules(asked).map_err(bad)?;
    check_times(asked, now).map_err(bad)?;
    let bytes = serde_json::to_string(asked).map_or(usize::MAX, |json| json.len());
    if bytes > REQUEST_MAX {
        let detail = format!(
            "the rollout has {bytes} bytes as JSON, and {REQUEST_MAX} at most; select terminals by labels, and send a URL in place of a \
             large payload"
        );
        return Err(problem(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    Ok(())
}

fn check_waves(waves: &[WaveRequest]) -> Result<(), String> {
    if waves.is_empty() || waves.len() > WAVES_MAX {
        return Err(format!("waves: 1 to {WAVES_MAX} of them"));
    }
    for (index, wave) in waves.iter().enumerate() {
        let is_last = index + 1 == waves.len();
        let number = index + 1;
        match wave.size {
            WaveSize::Count(0) => return Err(format!("waves: count of wave {number} must be at least 1")),
            WaveSize::Percent(percent) if !(percent > 0.0 && percent <= 100.0) => {
                return Err(format!("waves: percent of wave {number} must be more than 0 and at most 100"));
            }
            WaveSize::Rest if !is_last => {
                return Err(format!(
                    "waves: rest is the last wave, and wave {number} is not: nothing is left after it"
                ));
            }
            _ => {}
        }
        if wave.rate.is_some_and(|rate| !RATES.contains(&rate)) {
            let (least, most) = (RATES.start(), RATES.end());
            return Err(format!("waves: rate of wave {number} must be {least} to {most} targets a second"));
        }
    }
    Ok(())
}

fn check_rules(asked: &RolloutRequest) -> Result<(), String> {
    for (field, share) in [
        ("advance.succeeded", asked.advance.succeeded),
        ("stop.failed", asked.stop.failed),
        ("stop.silent", asked.stop.silent),
    ] {
        if !SHARES.contains(&share) {
            return Err(format!("{field}: a share from 0 to 1, such as 0.1 for ten percent"));
        }
    }
    let within = asked.advance.within;
    if within.is_zero() || within > WITHIN_MAX {
        return Err("advance.within must be longer than 0s and at most 30 days".into());
    }
    if asked.command.stagger >= within {
        return Err(
            "command.stagger must be shorter than advance.within: who waits longer would count as silent".into()
        );
    }
    Ok(())
}

fn check_times(asked: &RolloutRequest, now: Timestamp) -> Result<(), String> {
    let latest = now.checked_add(AHEAD_MAX).unwrap_or(Timestamp::MAX);
    if asked.start_at.is_some_and(|at| at > latest) {
        return Err("start_at: at most 366 days from now".into());
    }
    let Some(window) = &asked.window else { return Ok(()) };
    if window.days.len() > DAYS_MAX {
        return Err(format!("window.days: at most {DAYS_MAX}"));
    }
    time_zone(&window.zone).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_field() {
        let checked = |waves: &str, fields: &str| {
            let text = format!(r#"{{"target":{{"all":true}},"command":{{"name":"x"}},"waves":{waves}{fields}}}"#);
            let asked: RolloutRequest = serde_json::from_str(&text).unwrap();
            check_waves(&asked.waves)
                .and_then(|()| check_rules(&asked))
                .and_then(|()| check_times(&asked, Timestamp::UNIX_EPOCH))
                .err()
                .unwrap_or_default()
        };
        let good = r#"[{"percent":2.5},{"rest":true}]"#;
        assert_eq!(checked(good, r#","window":{"days":["mon"],"from":"22:00","to":"06:00","zone":"UTC"}"#), "");
        for (waves, fields, says) in [
            ("[]", "", "waves: 1 to 20"),
            (r#"[{"count":0}]"#, "", "count of wave 1"),
            (r#"[{"count":1},{"percent":101}]"#, "", "percent of wave 2"),
            (r#"[{"rest":true},{"count":1}]"#, "", "rest is the last wave"),
            (r#"[{"rest":true,"rate":0}]"#, "", "rate of wave 1"),
            (good, r#","advance":{"succeeded":95}"#, "advance.succeeded"),
            (good, r#","advance":{"within":"0s"}"#, "advance.within"),
            (good, r#","stop":{"failed":-0.1}"#, "stop.failed"),
            (good, r#","stop":{"silent":2}"#, "stop.silent"),
            (good, r#","start_at":"2026-11-28T12:00:00Z""#, "start_at"),
            (good, r#","window":{"from":"22:00","to":"06:00","zone":"Mars/Olympus"}"#, "window.zone"),
        ] {
            let refusal = checked(waves, fields);
            assert!(refusal.contains(says), "{waves}{fields}: {refusal}");
        }
    }
}
