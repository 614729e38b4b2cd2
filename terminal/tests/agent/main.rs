//! The agent as operators see it: what it runs, what it refuses, what it fetches and sends, and what it says of its box.

mod commands;
mod connected_box;
mod files;
mod signing;
mod updates;
mod uploads;
mod web_server;
