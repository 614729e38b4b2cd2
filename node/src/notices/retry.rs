//! Whether and when a message is tried again.

use std::time::Duration;

/// The longest time of which a wait is a random share. It doubles with each attempt, from 1 s on.
const WAIT_MAX: Duration = Duration::from_secs(1800);
/// The attempts after which a message is given up.
const ATTEMPTS_MAX: u32 = 100;
/// The age at which a message is given up.
const AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// How long a message waits that was tried so often and is so old; `share` is a random number from 0 to 1 (full jitter). None if the message
/// is given up.
pub fn wait(attempts: u32, age: Duration, share: f64) -> Option<Duration> {
    if attempts >= ATTEMPTS_MAX || age >= AGE_MAX {
        return None;
    }
    let doubled = Duration::from_secs(1 << attempts.saturating_sub(1).min(11));
    Some(doubled.min(WAIT_MAX).mul_f64(share.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_an_hour_until_a_message_is_given_up() {
        let longest = [1, 2, 3, 11, 12, 99].map(|attempts| wait(attempts, Duration::ZERO, 1.0).unwrap().as_secs());
        assert_eq!(longest, [1, 2, 4, 1024, 1800, 1800]);
        assert_eq!(wait(5, Duration::ZERO, 0.5), Some(Duration::from_secs(8)));
        assert_eq!(wait(ATTEMPTS_MAX, Duration::ZERO, 0.5), None);
        assert_eq!(wait(1, AGE_MAX, 0.5), None);
    }
}
