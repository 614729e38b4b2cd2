//! The machine by itself: each transition, and what holds whatever comes.

mod catch_up;
mod closing;
mod cuts;
mod hello;
mod join;
mod messages;
mod session;
mod token;
mod whatever_comes;
