//! Checks that a Redis is what Muster needs: its version, that it never evicts what is stored, and that it takes
//! writes. Ordinary commands do not show this until something is lost.

use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, cmd, from_redis_value};

use crate::Connection;

/// The oldest version of Redis that has what Muster uses: shard channels, and functions of Lua scripts.
const OLDEST: (u32, u32) = (7, 0);
/// How long the key of [`Connection::check_requirements`] is stored, in milliseconds.
const WRITTEN_MS: u64 = 10_000;

/// Why a Redis can't be used. Each text says what to set.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unfit {
    /// The version is too old.
    #[error("Redis {0} is too old: Muster needs version 7.0 or newer")]
    Version(String),
    /// Redis removes what is stored when its memory is full.
    #[error(
        "Redis may remove accepted commands when its memory is full, since its maxmemory-policy is {0}: set `maxmemory-policy noeviction` in redis.conf, or in the parameter group of a managed Redis"
    )]
    Evicts(String),
    /// The user may not write.
    #[error("the user of --redis may not write keys such as {0}: allow them in the user's ACL (~PATTERN, +@write)")]
    Forbidden(String),
    /// Redis refuses writes in the state that it is in.
    #[error("Redis refuses writes: {0}")]
    Refused(String),
}

/// The result of a check.
#[derive(Debug, Clone)]
pub enum Fitness {
    /// Redis is fit. The text, if there is one, says what could not be checked and how it can be allowed.
    Fit(Option<String>),
    /// Redis can't be used as it is.
    Unfit(Unfit),
}

impl Fitness {
    /// Returns why Redis can't be used.
    pub fn unfit(self) -> Option<Unfit> {
        match self {
            Self::Fit(_) => None,
            Self::Unfit(why) => Some(why),
        }
    }
}

impl Connection {
    /// Checks the master that this connection leads to: its version, that it does not evict, and that it takes writes.
    /// To test that, stores `key` for 10 s; give `None` for a user that only reads. The check costs four small calls.
    /// An error means that Redis could not be asked, and says nothing of its fitness.
    pub async fn check_requirements(&self, key: Option<&str>) -> RedisResult<Fitness> {
        let checks = async {
            let mut unchecked = Vec::new();
            match self.version().await? {
                Some(version) if is_too_old(&version) => return Ok(Fitness::Unfit(Unfit::Version(version))),
                Some(_) => {}
                None => unchecked.push("its version (needs INFO or HELLO)"),
            }
            match self.eviction_policy().await? {
                Some(policy) if policy != "noeviction" => return Ok(Fitness::Unfit(Unfit::Evicts(policy))),
                Some(_) => {}
                None => unchecked.push("that its maxmemory-policy is noeviction (needs INFO or CONFIG GET)"),
            }
            let refused = match key {
                Some(key) => self.write(key).await?,
                None => None,
            };
            Ok(match refused {
                Some(why) => Fitness::Unfit(why),
                None => Fitness::Fit(text(&unchecked)),
            })
        };
        // Boxed: the future is large, and the caller runs it only once in a while.
        Box::pin(checks).await
    }

    /// Asks by INFO, which even a user with limited rights mostly may use, and by HELLO if Redis refuses that. Each
    /// refusal is an entry in Redis' ACL LOG.
    async fn version(&self) -> RedisResult<Option<String>> {
        let info: Option<String> = allowed(cmd("INFO").arg("server").query_async(&mut self.clone()).await)?;
        if let Some(version) = info.as_deref().and_then(|info| field(info, "redis_version:")) {
            return Ok(Some(version));
        }
        let hello: Option<Vec<Value>> = allowed(cmd("HELLO").query_async(&mut self.clone()).await)?;
        Ok(hello.and_then(|fields| value_after(fields, "version")))
    }

    async fn eviction_policy(&self) -> RedisResult<Option<String>> {
        let info: Option<String> = allowed(cmd("INFO").arg("memory").query_async(&mut self.clone()).await)?;
        if let Some(policy) = info.as_deref().and_then(|info| field(info, "maxmemory_policy:")) {
            return Ok(Some(policy));
        }
        let config = cmd("CONFIG").arg("GET").arg("maxmemory-policy").query_async(&mut self.clone()).await;
        let config: Option<Vec<Value>> = allowed(config)?;
        Ok(config.and_then(|fields| value_after(fields, "maxmemory-policy")))
    }

    /// Writes the key. Returns why Redis refuses the write; `None` if it accepts it.
    async fn write(&self, key: &str) -> RedisResult<Option<Unfit>> {
        let written: RedisResult<()> =
            cmd("SET").arg(key).arg("").arg("PX").arg(WRITTEN_MS).query_async(&mut self.clone()).await;
        let Err(error) = written else { return Ok(None) };
        match error.code() {
            Some("NOPERM") => Ok(Some(Unfit::Forbidden(key.to_owned()))),
            Some("OOM") => {
                let why = "its memory is full; raise maxmemory";
                Ok(Some(Unfit::Refused(why.into())))
            }
            Some("MISCONF") => {
                let why = "it can't write its file; is its disk full, or its folder not writable?";
                Ok(Some(Unfit::Refused(why.into())))
            }
            Some("NOREPLICAS") => {
                let why = "it has fewer replicas than min-replicas-to-write";
                Ok(Some(Unfit::Refused(why.into())))
            }
            _ => Err(error),
        }
    }
}

fn text(unchecked: &[&str]) -> Option<String> {
    (!unchecked.is_empty()).then(|| format!("the user of --redis is not allowed to check {}", unchecked.join(", nor ")))
}

/// Returns the answer, or `None` if the user may not ask, or the server does not know the command: a managed Redis has
/// no CONFIG.
fn allowed<T>(answer: RedisResult<T>) -> RedisResult<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_refusal(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_refusal(error: &RedisError) -> bool {
    use ServerErrorKind::{NoPerm, ResponseError};
    matches!(error.kind(), ErrorKind::Server(NoPerm | ResponseError) | ErrorKind::UnexpectedReturnType)
}

/// Returns the value of a line of INFO.
fn field(info: &str, name: &str) -> Option<String> {
    info.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
}

/// Returns the value that follows a name in a list of names and values.
fn value_after(fields: Vec<Value>, name: &str) -> Option<String> {
    let mut fields = fields.into_iter().map(|field| from_redis_value::<String>(field).ok());
    fields.find(|field| field.as_deref() == Some(name))?;
    fields.next()?
}

/// Returns whether a version is older than 7.0. False for a version that can't be read.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < OLDEST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for old in ["6.2.14", "2.8.0", "6.99.1"] {
            assert!(is_too_old(old), "{old}");
        }
        for new in ["7.0.0", "7.4.1", "8.0.0", "10.1.0", "unstable", ""] {
            assert!(!is_too_old(new), "{new}");
        }
    }
}
