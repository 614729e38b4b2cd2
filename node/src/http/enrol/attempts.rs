//! How often an address may be wrong about a code.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use muster_protocol::address::site;

/// The wrong codes of an address in one [`WINDOW`]. Right ones do not count: many terminals may stand behind one address.
const WRONG_MAX: u32 = 10;
/// The time in which wrong codes are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// The addresses that are counted at once. Wrong codes of further ones are not: a code has 80 random bits, so that who has so many
/// addresses gains nothing.
const ADDRESSES_MAX: usize = 10_000;

/// The wrong codes of each address.
#[derive(Debug, Default)]
pub struct WrongCodes(Mutex<HashMap<IpAddr, Wrong>>);

#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    since: Instant,
}

impl WrongCodes {
    /// Whether the address may try a code now.
    ///
    /// # Errors
    /// After how many seconds it may again.
    pub fn check(&self, address: IpAddr, now: Instant) -> Result<(), u64> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(wrong) = all.get(&site(address)) else { return Ok(()) };
        let left = WINDOW.saturating_sub(now.duration_since(wrong.since));
        if wrong.count < WRONG_MAX || left.is_zero() { Ok(()) } else { Err(left.as_secs() + 1) }
    }

    /// Counts a wrong code.
    pub fn count(&self, address: IpAddr, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ADDRESSES_MAX {
            all.retain(|_, wrong| now.duration_since(wrong.since) < WINDOW);
        }
        if all.len() < ADDRESSES_MAX || all.contains_key(&site(address)) {
            let wrong = all.entry(site(address)).or_insert(Wrong { count: 0, since: now });
            if now.duration_since(wrong.since) >= WINDOW {
                *wrong = Wrong { count: 0, since: now };
            }
            wrong.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_wrong_too_often_waits_and_keeps_no_other_out() {
        let (wrong, began) = (WrongCodes::default(), Instant::now());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for number in 0..WRONG_MAX {
            assert_eq!(wrong.check(ip("10.0.0.1"), began), Ok(()), "{number}");
            wrong.count(ip("10.0.0.1"), began);
            wrong.count(ip("2001:db8::1"), began);
        }
        for address in ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::2"] {
            assert_eq!(wrong.check(ip(address), began + Duration::from_secs(10)), Err(51), "{address}");
            assert_eq!(wrong.check(ip(address), began + WINDOW), Ok(()), "{address}");
        }
        for address in ["10.0.0.2", "2001:db8:0:1::1"] {
            assert_eq!(wrong.check(ip(address), began), Ok(()), "{address}");
        }
        wrong.count(ip("10.0.0.1"), began + WINDOW);
        assert_eq!(wrong.check(ip("10.0.0.1"), began + WINDOW), Ok(()));
    }

    #[test]
    fn addresses_that_are_counted_are_bounded() {
        let (wrong, now) = (WrongCodes::default(), Instant::now());
        for number in 0..2 * ADDRESSES_MAX as u32 {
            wrong.count(IpAddr::from(number.to_be_bytes()), now);
        }
        assert_eq!(wrong.0.lock().unwrap().len(), ADDRESSES_MAX);
    }
}
