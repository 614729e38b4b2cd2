//! What a backplane does for saved selectors.

use async_trait::async_trait;
use muster_protocol::{SelectorName, api::SavedSelector};

use crate::backplane::BackplaneError;

/// Selectors that operators have saved. A command goes by what was saved when it was accepted.
#[async_trait]
pub trait SelectorStore: Send + Sync {
    /// Saves a selector, in place of one that has its name.
    ///
    /// # Errors
    /// [`TooManySelectors`](BackplaneError::TooManySelectors) if as many are saved as may be.
    async fn save_selector(&self, selector: &SavedSelector) -> Result<(), BackplaneError>;

    /// Those of these names that are saved; all if no name is given. In no order.
    async fn saved_selectors(&self, names: &[SelectorName]) -> Result<Vec<SavedSelector>, BackplaneError>;

    /// Removes a saved selector. False if there is none.
    async fn remove_selector(&self, name: &SelectorName) -> Result<bool, BackplaneError>;
}
