//! Saved selectors of a node alone. They end with the process, as everything does that it stores.

use async_trait::async_trait;
use muster_protocol::{SelectorName, api::SavedSelector};

use super::MemoryBackplane;
use crate::backplane::{BackplaneError, SelectorStore, rules::SAVED_SELECTORS_MAX};

#[async_trait]
impl SelectorStore for MemoryBackplane {
    async fn save_selector(&self, selector: &SavedSelector) -> Result<(), BackplaneError> {
        let saved = &mut self.store().saved_selectors;
        if !saved.contains_key(&selector.name) && saved.len() as u64 >= SAVED_SELECTORS_MAX {
            return Err(BackplaneError::TooManySelectors(SAVED_SELECTORS_MAX));
        }
        saved.insert(selector.name.clone(), selector.clone());
        Ok(())
    }

    async fn saved_selectors(&self, names: &[SelectorName]) -> Result<Vec<SavedSelector>, BackplaneError> {
        let saved = &self.store().saved_selectors;
        if names.is_empty() {
            return Ok(saved.values().cloned().collect());
        }
        Ok(names.iter().filter_map(|name| saved.get(name)).cloned().collect())
    }

    async fn remove_selector(&self, name: &SelectorName) -> Result<bool, BackplaneError> {
        Ok(self.store().saved_selectors.remove(name).is_some())
    }
}
