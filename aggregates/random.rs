//! Properties over random histories, from a seed that is printed: `BILLSTREAM_SEED=...` takes the same ones again.
//! `BILLSTREAM_HISTORIES=...` takes so many of each, fewer or more.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io::Write,
};

use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// How many histories a property is held to.
const HISTORIES: u32 = 10_000;

/// Runs a property over random histories.
pub fn hold<S: Strategy>(strategy: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let seed: u64 = match std::env::var("BILLSTREAM_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().build_hasher().finish(),
    };
    writeln!(std::io::stderr(), "BILLSTREAM_SEED={seed}").unwrap();
    let bytes: Vec<u8> = seed.to_le_bytes().repeat(4);
    let cases = match std::env::var("BILLSTREAM_HISTORIES") {
        Ok(cases) => cases.parse().unwrap(),
        Err(_) => HISTORIES,
    };
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    if let Err(failure) = runner.run(strategy, property) {
        panic!("BILLSTREAM_SEED={seed}: {failure}");
    }
}
