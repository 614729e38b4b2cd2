//! Saved selectors belong to no terminal: the first partition has them for all.

use async_trait::async_trait;
use muster_protocol::{SelectorName, api::SavedSelector};

use super::RedisBackplane;
use crate::backplane::{BackplaneError, SelectorStore};

#[async_trait]
impl SelectorStore for RedisBackplane {
    async fn save_selector(&self, selector: &SavedSelector) -> Result<(), BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.save_selector(selector)).await
    }

    async fn saved_selectors(&self, names: &[SelectorName]) -> Result<Vec<SavedSelector>, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.saved_selectors(names)).await
    }

    async fn remove_selector(&self, name: &SelectorName) -> Result<bool, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.remove_selector(name)).await
    }
}
