//! Which error stands for a failure of Redis. The API says that nothing was changed only where that is certain. So
//! [`unsure`] makes the error of a call that changes something, because a call whose answer got lost may have been
//! carried out.

use std::fmt::Display;

use muster_redis::not_sent;
use redis::{RedisError, ServerError};

use crate::backplane::BackplaneError;

/// The errors by which Redis refuses every call in the state that it is in: the same call may succeed later. Redis
/// returns them before it has done anything of a script.
const PASSING: [&str; 13] = [
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOREPLICAS",
    "NOSCRIPT",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
];
/// The other errors that Redis returns before it has done anything of a script. NOPERM is not among them: a command
/// in the middle of a script may cause it.
const DONE_NOTHING: [&str; 2] = ["CROSSSLOT", "OOM"];

/// Returns why Redis takes no writes, by the code of its error. None if the code does not say that.
fn refuses_writes(code: &str) -> Option<&'static str> {
    match code {
        "OOM" => Some("Redis has no memory left (maxmemory)"),
        "NOREPLICAS" => Some("Redis has fewer replicas than it must have (min-replicas-to-write)"),
        "MISCONF" => Some("Redis can't write its file (is its disk full?)"),
        _ => None,
    }
}

/// Returns why a partition is away whose lease could not be renewed.
pub fn why_away(error: &RedisError) -> &'static str {
    code(error).and_then(|code| refuses_writes(&code)).unwrap_or("its Redis does not answer, or takes no writes")
}

/// Returns the error of a call that only reads, or was not carried out.
pub fn unavailable(error: RedisError) -> BackplaneError {
    tracing::warn!(%error, "Redis failed");
    let refused = code(&error).and_then(|code| refuses_writes(&code));
    BackplaneError::Unavailable(match refused {
        Some(why) => why.into(),
        None if not_sent(&error) => "Redis is not reached".into(),
        None if error.is_timeout() => "Redis did not answer in time".into(),
        None => error.category().into(),
    })
}

/// Returns the error of a call that changes something. Once sent, the call may have been carried out, unless Redis says
/// that it was not.
pub fn unsure(error: RedisError) -> BackplaneError {
    let is_first = |code: String| PASSING.contains(&code.as_str()) || DONE_NOTHING.contains(&code.as_str());
    let nothing = code(&error).is_some_and(is_first);
    if nothing || not_sent(&error) {
        return unavailable(error);
    }
    tracing::warn!(%error, "Redis may have done what it was asked for, or not");
    BackplaneError::Unsure
}

/// Returns the error for an answer that no script gives. Nobody knows what the call did.
pub fn broken(error: impl Display) -> BackplaneError {
    tracing::error!(%error, "an answer of Redis is not what was asked for");
    BackplaneError::Unsure
}

/// Reads a stored value.
pub fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, BackplaneError> {
    serde_json::from_str(text)
        .map_err(|error| BackplaneError::Unavailable(format!("a stored value is broken: {error}")))
}

/// Returns the number of calls of a pipeline that Redis refused for good, so that it would refuse them again: for want
/// of permission, because a key holds a value of another type, or for want of memory (maxmemory), which may last. None
/// if a call failed in a way that may pass, or if the connection failed.
pub fn refused_for_good(error: &RedisError) -> Option<usize> {
    let errors = error.clone().into_server_errors()?;
    (!not_sent(error) && !errors.iter().any(|(_, error)| passes(error))).then_some(errors.len())
}

/// Returns whether Redis refused a call only because of the state that it is in, so that the same call may succeed
/// later.
pub fn is_passing(error: &RedisError) -> bool {
    error.clone().into_server_errors().is_some_and(|errors| errors.iter().any(|(_, error)| passes(error)))
}

fn passes(error: &ServerError) -> bool {
    // A server without room for another client refuses the connection by an error that has no code of its own.
    PASSING.contains(&error.code()) || error.details().is_some_and(|text| text.contains("max number of clients"))
}

/// Returns the code that the server gave the error, also if it came in the middle of several calls.
fn code(error: &RedisError) -> Option<String> {
    let errors = error.clone().into_server_errors()?;
    errors.first().map(|(_, error)| error.code().to_owned())
}

#[cfg(test)]
mod tests {
    use redis::{Value, parse_redis_value};

    use super::*;

    fn answered(line: &str) -> RedisError {
        match parse_redis_value(format!("{line}\r\n").as_bytes()) {
            Ok(Value::ServerError(error)) => error.into(),
            other => panic!("no error but {other:?}"),
        }
    }

    #[test]
    fn only_what_would_be_refused_again_is_refused_for_good() {
        for lasting in ["-NOPERM no", "-WRONGTYPE no", "-ERR unknown command", "-OOM no"] {
            assert_eq!(refused_for_good(&answered(lasting)), Some(1), "{lasting}");
        }
        for passing in ["-LOADING no", "-READONLY no", "-BUSY no", "-MISCONF no", "-ERR max number of clients reached"]
        {
            assert_eq!(refused_for_good(&answered(passing)), None, "{passing}");
        }
        let broken = RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(refused_for_good(&broken), None);
    }
}
