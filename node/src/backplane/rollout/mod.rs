//! Rollouts as both backplanes store them. What is done with them, the module [`rollout`](crate::rollout) decides.

mod position_set;
mod record;
mod stored;

pub use self::{
    position_set::PositionSet,
    record::{FrozenTargets, HeldPortion, PortionRecord, RolloutRecord},
    stored::{
        CarriedRollouts, CreatedRollout, FoundRollouts, FrozenPlace, RolloutChange, RolloutDraft, RolloutPlace,
        StoredRollout, changed_event, frozen_order,
    },
};
