//! The node as a program, which a test can stop, kill, and take something away from.

mod clock;
mod files;
mod frozen;
mod listen;
mod memory;
mod name;
mod program;
mod reload;
mod supervised;
