//! Identifiers as this dialect writes them: the object's class, an underscore, a UUID.

use std::{fmt, str::FromStr};

use aggregates::id::{ChargeId, CustomerId, DiscountId, InvoiceId, PlanId, SubscriptionId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// A class of objects that have ids.
pub trait Class: Copy {
    const PREFIX: &'static str;
    /// How a field or path parameter of this class is called.
    const FIELD: &'static str;
    fn of(uuid: Uuid) -> Self;
    fn uuid(self) -> Uuid;
}

macro_rules! classes {
    ($($id:ident, $prefix:literal, $field:literal;)+) => {$(
        impl Class for $id {
            const PREFIX: &'static str = $prefix;
            const FIELD: &'static str = $field;
            fn of(uuid: Uuid) -> Self {
                Self(uuid)
            }
            fn uuid(self) -> Uuid {
                self.0
            }
        }
    )+};
}

// UNCONFIRMED: the prefixes of invoice items, plans and discounts; no page shows one.
classes! {
    CustomerId, "Cust", "customer_id";
    SubscriptionId, "Cont", "contract_id";
    InvoiceId, "Inv", "invoice_id";
    ChargeId, "Item", "invoice_item_id";
    PlanId, "Plan", "plan_id";
    DiscountId, "Disc", "discount_id";
}

/// An id on the wire. Read leniently (prefix in any case, UUID in any of its forms), written in one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id<T>(pub T);

/// The vendor's own two complaints about an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("wrong object class")]
    WrongClass,
    #[error("invalid format for id")]
    InvalidFormat,
}

impl<T: Class> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", T::PREFIX, self.0.uuid().as_hyphenated())
    }
}

impl<T: Class> FromStr for Id<T> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (prefix, uuid) = text.split_once('_').ok_or(IdError::InvalidFormat)?;
        if !prefix.eq_ignore_ascii_case(T::PREFIX) {
            return Err(IdError::WrongClass);
        }
        let uuid = Uuid::try_parse(uuid).map_err(|_| IdError::InvalidFormat)?;
        Ok(Self(T::of(uuid)))
    }
}

impl<T: Class> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: Class> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UUID: &str = "c40bea18-c0c9-44b1-bd0c-43f5283e1670";

    #[test]
    fn an_id_is_read_in_any_case_and_form_and_written_in_one() {
        let written = format!("Cust_{UUID}");
        let upper = UUID.to_uppercase();
        let simple = UUID.replace('-', "");
        for text in [
            written.clone(),
            format!("cust_{UUID}"),
            format!("CUST_{upper}"),
            format!("Cust_{simple}"),
            format!("Cust_{{{UUID}}}"),
            format!("Cust_urn:uuid:{UUID}"),
        ] {
            let id: Id<CustomerId> = text.parse().expect(&text);
            assert_eq!(id.to_string(), written);
        }
    }

    #[test]
    fn the_wrong_class_and_a_bad_format_are_told_apart() {
        let read = |text: &str| text.parse::<Id<CustomerId>>();
        assert_eq!(read(&format!("Cont_{UUID}")), Err(IdError::WrongClass));
        for text in ["", UUID, "Cust", "Cust_", "Cust_1", "Cust_é"] {
            assert_eq!(read(text), Err(IdError::InvalidFormat), "{text}");
        }
    }

    fn round<T: Class + PartialEq + fmt::Debug>(uuid: Uuid) {
        let id = Id(T::of(uuid));
        assert_eq!(id.to_string().parse(), Ok(id));
        let json = serde_json::to_string(&id).expect("text");
        assert_eq!(serde_json::from_str::<Id<T>>(&json).expect("an id"), id);
    }

    proptest! {
        #[test]
        fn every_id_reads_back_as_it_was_written(bits: u128) {
            let uuid = Uuid::from_u128(bits);
            round::<CustomerId>(uuid);
            round::<SubscriptionId>(uuid);
            round::<InvoiceId>(uuid);
            round::<ChargeId>(uuid);
            round::<PlanId>(uuid);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".*") {
            let _ = text.parse::<Id<InvoiceId>>();
        }
    }
}
