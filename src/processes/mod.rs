//! What happens without being asked for: processes that find work and send ordinary commands. They hold no truth of
//! their own; stopped at any point, whoever starts next finds the same work and the same command ids.

pub mod clock;
pub mod duties;
mod halving;
mod lease;
pub mod run;
pub mod scheduler;
mod thread;
mod turn;
