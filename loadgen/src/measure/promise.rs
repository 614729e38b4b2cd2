//! What a run holds the server to.

use crate::{
    adapter::{self, DeliveryPromise, Promise},
    config::Config,
};

/// Returns what the protocol promises, or less if `--at-most-once` says so.
pub fn promise(config: &Config) -> Promise {
    let promise = adapter::of(config).promise();
    if !config.allowances.at_most_once {
        return promise;
    }
    let text = "at most once (--at-most-once): what is sent while a session is lost is not promised".into();
    Promise { delivery: DeliveryPromise::AtMostOnce, text, ..promise }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    #[test]
    fn a_raw_server_owes_each_message_unless_it_promises_less() {
        assert_eq!(promise(&config("--target raw")).delivery, DeliveryPromise::Owed);
        assert_eq!(promise(&config("--target raw --at-most-once")).delivery, DeliveryPromise::AtMostOnce);
    }
}
