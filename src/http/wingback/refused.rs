//! Why a contract was not signed or not upgraded, said of the field that the call has.

use serde_json::Value;

use super::{error::Error, wire};
use crate::app::contracts::{SigningError, upgrades::UpgradeError};

pub fn not_signed(error: SigningError, body: &wire::ContractInput) -> Error {
    let names = |map: Option<&Value>, name: &str| map.is_some_and(|map| map.get(name).is_some());
    match &error {
        SigningError::UnknownFeature(name)
            if !names(body.unit_count_configuration.as_ref(), name)
                && names(body.feature_configuration.as_ref(), name) =>
        {
            Error::bad("feature_configuration", error)
        }
        _ => Error::from(error).renamed("date", "activation"),
    }
}

pub fn not_upgraded(error: UpgradeError, body: &wire::UpgradeInput) -> Error {
    let sent = body.upgrade_configuration.as_ref();
    let names = |map: Option<&Value>, name: &str| map.is_some_and(|map| map.get(name).is_some());
    let elsewhere = |name: &str| {
        sent.is_some_and(|sent| {
            !names(sent.unit_count_configuration.as_ref(), name) && names(sent.unit_configuration.as_ref(), name)
        })
    };
    match &error {
        UpgradeError::UnknownFeature(name) if elsewhere(name) => {
            Error::bad("upgrade_configuration.unit_configuration", error)
        }
        _ => Error::from(error)
            .renamed("date", "upgrade_configuration.activation")
            .renamed("cycle", "upgrade_configuration.cycle"),
    }
}
