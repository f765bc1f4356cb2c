//! What the process says of itself: log lines on standard error, metrics for whoever asks.

use std::{
    env,
    io::{self, IsTerminal},
};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

#[derive(Debug, thiserror::Error)]
#[error("BILLSTREAM_LOG is no filter such as info, or warn,billstream=debug: {0}")]
pub struct BadFilter(String);

/// Log lines from `warn` up, or what `BILLSTREAM_LOG` says (`info`, `billstream=debug`, ...).
pub fn log() -> Result<(), BadFilter> {
    let filter = match env::var("BILLSTREAM_LOG") {
        Ok(text) => filter(&text)?,
        Err(env::VarError::NotPresent) => EnvFilter::new("warn"),
        Err(error) => return Err(BadFilter(error.to_string())),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    Ok(())
}

/// A word alone must be a level: the library would take a level that is misspelt for the name of a module, and log
/// nothing at all.
fn filter(text: &str) -> Result<EnvFilter, BadFilter> {
    if text.trim().is_empty() {
        return Ok(EnvFilter::new("warn"));
    }
    // The fields of a span, in brackets, may hold commas and words of their own.
    if !text.contains('[') {
        for word in text.split(',').map(str::trim).filter(|part| !part.contains('=')) {
            let known = word.parse::<LevelFilter>();
            known.map_err(|_| BadFilter(format!("\"{word}\" is no level")))?;
        }
    }
    EnvFilter::try_new(text).map_err(|error| BadFilter(error.to_string()))
}

/// Starts recording metrics; there is one recorder a process.
pub fn metrics() -> Result<PrometheusHandle, BuildError> {
    let batches = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
    let seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_batch_size".to_owned()), &batches)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)?
        .install_recorder()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_levels_and_modules_with_their_levels() {
        for text in [
            "",
            "info",
            "WARN",
            "off",
            "warn,billstream=debug",
            "billstream::http=info,sqlx=error",
        ] {
            assert!(filter(text).is_ok(), "{text}");
        }
        for text in ["inof", "verbose", "billstream", "billstream=loud", "info;warn"] {
            assert!(filter(text).is_err(), "{text}");
        }
    }
}
