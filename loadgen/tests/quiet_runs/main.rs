//! The program `muster-loadgen` against its own null server: what it finds, what it writes, and how it ends.

mod baseline;
mod card;
mod disturb;
mod faults;
mod interrupt;
mod interrupt_agents;
mod interrupt_floor;
mod let_in;
mod live_metrics;
mod null_server;
mod outputs;
mod program;
mod report;
mod restart;
mod starved;
mod tls;
mod ways;
