//! Personal data inside events: readable while its subject is known, gone once the subject is forgotten.

use serde::{Deserialize, Serialize};

/// The value of an event's `personal` field. In the log it is sealed with the subject's key; when that key has been
/// destroyed the field reads as `null`, and everything else of the event (and its hash) still stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal<T>(pub Option<T>);

impl<T> Personal<T> {
    pub fn known(value: T) -> Self {
        Self(Some(value))
    }

    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}
