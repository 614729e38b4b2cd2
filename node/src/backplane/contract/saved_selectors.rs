//! What a backplane does for saved selectors.

use async_trait::async_trait;
use muster_protocol::{SelectorName, api::SavedSelector};

use crate::backplane::BackplaneError;

/// Selectors that operators have saved. A command uses what was saved when the command was accepted.
#[async_trait]
pub trait SelectorStore: Send + Sync {
    /// Saves a selector, in place of an older one with the same name.
    ///
    /// # Errors
    /// [`TooManySelectors`](BackplaneError::TooManySelectors) if too many are saved.
    async fn save_selector(&self, selector: &SavedSelector) -> Result<(), BackplaneError>;

    /// Returns the saved selectors with these names; all if no name is given. They are in no order.
    async fn saved_selectors(&self, names: &[SelectorName]) -> Result<Vec<SavedSelector>, BackplaneError>;

    /// Removes a saved selector. Returns false if there is no such selector.
    async fn remove_selector(&self, name: &SelectorName) -> Result<bool, BackplaneError>;
}
