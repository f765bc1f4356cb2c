//! The journal: what is appended is there, once, in order, on both databases, and can be proved.

mod ahead;
mod commands;
mod contended;
mod follower;
pub mod history;
mod rebuild;
mod replay;
#[cfg(unix)]
mod rights;
mod snapshots;
mod stock_readers;
mod verify;
