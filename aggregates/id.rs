//! Typed identifiers. Random ids are made at the edge; ids derived from other ids are made here.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

/// The merchant whose data this is. Every key of the store begins with it (or its shard).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(std::sync::Arc<str>);

impl TenantId {
    /// A short id: `t_` and 13 characters of the given random bits.
    pub fn from_random(bits: u64) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut text = String::from("t_");
        let mut rest = bits;
        for _ in 0..13 {
            text.push(char::from(ALPHABET[usize::try_from(rest & 31).unwrap_or_default()]));
            rest >>= 5;
        }
        Self(text.into())
    }

    /// Reads an id that the store holds.
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A UUID made of this tenant and a name: the same name always gives the same id, and no two tenants share one.
    pub fn derive(&self, name: &str) -> Uuid {
        const NAMESPACE: Uuid = Uuid::from_u128(0x6b1d_5a0e_9c35_5e0b_8d8e_2f6f_41b1_7c11);
        Uuid::new_v5(&Uuid::new_v5(&NAMESPACE, self.0.as_bytes()), name.as_bytes())
    }

    /// The same, for what belongs to `owner`: see [`beside`].
    pub fn derive_beside(&self, owner: Uuid, name: &str) -> Uuid {
        beside(owner, self.derive(name))
    }
}

/// An id that begins as its owner's does: in every index what belongs to one owner lies together, so that a billing run,
/// which goes through the owners in order, writes to few pages.
pub fn beside(owner: Uuid, id: Uuid) -> Uuid {
    const SHARED: usize = 6;
    let mut bytes = id.into_bytes();
    bytes[..SHARED].copy_from_slice(&owner.as_bytes()[..SHARED]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::try_parse(text).map(Self)
            }
        }
    )+};
}

uuid_id! {
    /// Wingback customer, Exsited account, CHIP client.
    CustomerId,
    /// Wingback contract, Exsited order, CHIP subscriber.
    SubscriptionId,
    /// A charge: a Wingback invoice item.
    ChargeId,
    /// A line of a subscription.
    LineId,
    PlanId,
    InvoiceId,
    /// CHIP purchase.
    PurchaseId,
    /// A collection of an invoice by a processor.
    PaymentId,
    /// What is to be delivered for a billed period of an order.
    FulfilmentId,
    /// What is to be told to a customer.
    MessageId,
    /// CHIP billing template.
    BillingTemplateId,
    /// A statement of usage: an Exsited usage.
    UsageEntryId,
    DiscountId,
}
