//! The saved selectors that a partition holds for all of them (selector_put.lua, selectors.lua, selector_remove.lua).

use muster_protocol::{SelectorName, api::SavedSelector};
use redis::RedisResult;

use super::StorePartition;
use crate::backplane::{
    BackplaneError,
    redis::refusal::{unavailable, unsure},
    rules::SAVED_SELECTORS_MAX,
};

impl StorePartition {
    /// Saves a selector, in place of one that has its name.
    ///
    /// # Errors
    /// [`BackplaneError::TooManySelectors`], and those of a call that changes something.
    pub async fn save_selector(&self, selector: &SavedSelector) -> Result<(), BackplaneError> {
        let mut call = self.scripts.selector_put(&self.keys);
        call.arg(selector.name.as_str()).arg(serde_json::to_string(selector).expect("a selector has a JSON form"));
        let stored: RedisResult<bool> = call.arg(SAVED_SELECTORS_MAX).invoke_async(&mut self.connection.clone()).await;
        if stored.map_err(unsure)? { Ok(()) } else { Err(BackplaneError::TooManySelectors(SAVED_SELECTORS_MAX)) }
    }

    /// Returns those of these names that are saved; all if no name is given. One that can't be read is left out, and
    /// logged.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn saved_selectors(&self, names: &[SelectorName]) -> Result<Vec<SavedSelector>, BackplaneError> {
        let mut call = self.scripts.selectors(&self.keys);
        names.iter().for_each(|name| _ = call.arg(name.as_str()));
        let found: RedisResult<Vec<Vec<u8>>> = call.invoke_async(&mut self.connection.clone()).await;
        let read = |json: Vec<u8>| match serde_json::from_slice(&json) {
            Ok(selector) => Some(selector),
            Err(error) => {
                tracing::warn!(%error, "a saved selector can't be read, and is left out by this node");
                None
            }
        };
        Ok(found.map_err(unavailable)?.into_iter().filter_map(read).collect())
    }

    /// Removes a saved selector. False if there is none.
    ///
    /// # Errors
    /// Those of a call that changes something.
    pub async fn remove_selector(&self, name: &SelectorName) -> Result<bool, BackplaneError> {
        self.change(self.scripts.selector_remove(&self.keys).arg(name.as_str())).await
    }
}
