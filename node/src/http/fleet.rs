//! The fleet in numbers: now, and minute by minute in the past.

use hyper::{Response, StatusCode};

use super::{
    HttpState,
    answer::{Answer, Body, json},
    request,
};
use crate::backplane::MINUTES_MAX;

/// The default of `minutes`.
const MINUTES: u32 = 60;

/// `GET /v1/fleet`
pub async fn counts(state: &HttpState) -> Answer {
    Ok(json(StatusCode::OK, &state.shared.backplane.fleet().await?))
}

/// `GET /v1/fleet/history?minutes=60`
pub async fn history(query: &str, state: &HttpState) -> Answer {
    Ok(json(StatusCode::OK, &state.shared.backplane.fleet_history(minutes(query)?).await?))
}

fn minutes(query: &str) -> Result<u32, Response<Body>> {
    let mut minutes = MINUTES;
    request::query(query, |name, value| {
        if name == "minutes" {
            let number = value.parse().ok().filter(|number| (1..=MINUTES_MAX).contains(number));
            minutes = number.ok_or_else(|| format!("a number from 1 to {MINUTES_MAX}, which is a day"))?;
        }
        Ok(())
    })?;
    Ok(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_a_number_up_to_a_day() {
        assert_eq!((minutes("").unwrap(), minutes("minutes=1440").unwrap()), (60, 1440));
        for bad in ["minutes=0", "minutes=1441", "minutes=-1", "minutes=x", "minutes="] {
            assert!(minutes(bad).is_err(), "{bad}");
        }
    }
}
