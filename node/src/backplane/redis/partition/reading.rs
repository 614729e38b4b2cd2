//! Reads what a script answers: an outcome in a word, and then values.

use std::vec::IntoIter;

use jiff::Timestamp;
use muster_protocol::{CommandId, TerminalId};
use redis::{FromRedisValue, Value, from_redis_value};

use crate::backplane::{BackplaneError, redis::refusal::broken};

/// The answer of a script, read from its first value to its last.
pub struct ScriptAnswer {
    script: &'static str,
    outcome: String,
    values: IntoIter<Value>,
}

impl ScriptAnswer {
    /// Returns an answer of the script in this file.
    ///
    /// # Errors
    /// [`BackplaneError::Unsure`] if it does not begin with a word.
    pub fn new(script: &'static str, values: Vec<Value>) -> Result<Self, BackplaneError> {
        let mut answer = Self { script, outcome: String::new(), values: values.into_iter() };
        answer.outcome = answer.next()?;
        Ok(answer)
    }

    /// Returns the first word of the answer.
    pub fn outcome(&self) -> &str {
        &self.outcome
    }

    /// Returns the next value.
    pub fn next<T: FromRedisValue>(&mut self) -> Result<T, BackplaneError> {
        let value = self.values.next().ok_or_else(|| broken(format!("the answer of {} is too short", self.script)))?;
        from_redis_value(value).map_err(broken)
    }

    /// Returns the next value, a moment in milliseconds.
    pub fn time(&mut self) -> Result<Timestamp, BackplaneError> {
        Timestamp::from_millisecond(self.next()?).map_err(broken)
    }

    /// Returns the next value, a command's id.
    pub fn id(&mut self) -> Result<CommandId, BackplaneError> {
        self.next::<String>()?.parse().map_err(broken)
    }

    /// Returns the next value, a list of terminals. Ids that are none are left out.
    pub fn terminals(&mut self) -> Result<Vec<TerminalId>, BackplaneError> {
        let ids: Vec<String> = self.next()?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Returns the error that the outcome stands for.
    pub fn refusal(mut self) -> BackplaneError {
        let error = match self.outcome.as_str() {
            "unknown" => self.terminals().map(BackplaneError::Unknown),
            "offline" => self.terminals().map(BackplaneError::Offline),
            "full" => self.terminals().map(BackplaneError::Full),
            "no_room" => self.next().map(BackplaneError::NoRoom),
            "open" => self.next().map(BackplaneError::TooManyOpen),
            "left_out" => self.next().map(BackplaneError::LeftOut),
            "broad" => self.next().map(BackplaneError::Broad),
            "conflict" => self.id().map(BackplaneError::OtherBody),
            other => Err(broken(format!("{} answered {other:?}", self.script))),
        };
        error.unwrap_or_else(|error| error)
    }
}
