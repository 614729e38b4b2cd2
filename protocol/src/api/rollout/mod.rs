//! A rollout: a command that goes out in waves.

mod request;
mod view;
mod wave;
mod window;

pub use self::{
    request::{AdvanceRule, RolloutCommand, RolloutRequest, StopRule},
    view::{RolloutPage, RolloutState, RolloutView, WaveView},
    wave::{WaveRequest, WaveSize},
    window::{TimeOfDay, TimeWindow, WindowDay},
};
