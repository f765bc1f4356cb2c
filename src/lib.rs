//! Billstream: an event-sourced CQRS billing engine that speaks three billing APIs over one domain.

pub mod app;
pub mod cli;
pub mod clock;
pub mod http;
pub mod journal;
pub mod processes;
pub mod telemetry;
