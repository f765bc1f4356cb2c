//! What the world does to a billing system: kills it, runs two of it, asks fifty times at once.

mod behind;
mod crash;
mod cut;
mod isolation;
mod lost_answers;

mod two_processes;
mod years;
